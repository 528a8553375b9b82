using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// What upstreams did for a request beside its answer: hedges that another was faster than, copies for a mirror. The operator pays.
/// Attempts may begin and end on other threads than the one that settles the request.
/// </summary>
internal sealed class SideCosts
{
    private readonly Lock _lock = new();
    private readonly List<Price?> _running = [];
    private decimal _cost;
    private Price? _mirror;

    /// <summary>One of those that run side by side has begun.</summary>
    public void Begin(Price? price)
    {
        lock (_lock)
        {
            _running.Add(price);
        }
    }

    /// <summary>One of them has ended.</summary>
    /// <param name="price">Its own.</param>
    /// <param name="used">Null unless it was superseded: what it had used by then.</param>
    public void End(Price? price, Usage? used)
    {
        lock (_lock)
        {
            if (_running.Remove(price) && used is { } usage)
            {
                _cost += price?.CostOf(usage, null) ?? 0;
            }
        }
    }

    /// <summary>A copy went to a mirror.</summary>
    public void Copied(Price? price)
    {
        lock (_lock)
        {
            _mirror = price;
        }
    }

    /// <summary>
    /// All of it, once the answer is known. Those that still run are on their way to their end, which nobody waits for: they have
    /// read the prompt. A mirror is taken to use what the answer itself used.
    /// </summary>
    /// <param name="prompt">Tokens.</param>
    /// <param name="answer">Of the answer.</param>
    public decimal Total(long prompt, in Usage answer)
    {
        lock (_lock)
        {
            foreach (var price in _running)
            {
                _cost += price?.CostOf(new Usage(prompt, 0, 0), null) ?? 0;
            }

            _running.Clear();
            return _cost + (_mirror?.CostOf(answer, null) ?? 0);
        }
    }
}
