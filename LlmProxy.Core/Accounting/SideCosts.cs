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
    private readonly List<(Target Target, decimal Prompt)> _running = new(2);
    private decimal _cost;
    private Price? _mirror;

    /// <summary>One of those that may run side by side has begun.</summary>
    /// <param name="target">Who is asked.</param>
    /// <param name="prompt">What reading the prompt costs there.</param>
    public void Begin(Target target, decimal prompt)
    {
        lock (_lock)
        {
            _running.Add((target, prompt));
        }
    }

    /// <summary>One of them has ended.</summary>
    /// <param name="target">Who was asked.</param>
    /// <param name="cost">What it cost, if it had to end because another was faster; else null.</param>
    public void End(Target target, decimal? cost)
    {
        lock (_lock)
        {
            var at = _running.FindIndex(one => ReferenceEquals(one.Target, target));
            if (at >= 0)
            {
                _running.RemoveAt(at);
                _cost += cost ?? 0;
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
    /// <param name="answer">What the answer used.</param>
    public decimal Total(in Usage answer)
    {
        lock (_lock)
        {
            foreach (var (_, prompt) in _running)
            {
                _cost += prompt;
            }

            _running.Clear();
            return _cost + (answer.IsKnown ? _mirror?.CostOf(answer, null) ?? 0 : 0);
        }
    }
}
