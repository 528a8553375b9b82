using LlmProxy.Core.Admission;

namespace LlmProxy.Tests.Admission;

/// <summary>What a database does for replicas, in memory: never grants what somebody else holds or has used.</summary>
internal sealed class MemoryLimitStore(TimeProvider time) : ILimitStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Meter, string Window), Dictionary<string, Part>> _parts = [];

    /// <summary>It cannot be reached.</summary>
    public bool IsDown { get; set; }

    /// <summary>The exchanges so far.</summary>
    public int Exchanges { get; private set; }

    /// <summary>The most that it was asked for at once.</summary>
    public int Largest { get; private set; }

    /// <summary>Used and held by all, at any time: the most that there ever was.</summary>
    public Dictionary<string, decimal> Most { get; } = new(StringComparer.Ordinal);

    public ValueTask<IReadOnlyList<LimitGrant>> ExchangeAsync(string replica, IReadOnlyList<LimitAsk> asks, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            Exchanges++;
            Largest = Math.Max(Largest, asks.Count);
            return IsDown ? throw new IOException("no route to host") : new([.. asks.Select(ask => Grant(replica, ask))]);
        }
    }

    private LimitGrant Grant(string replica, LimitAsk ask)
    {
        var key = (ask.Meter, ask.Window);
        if (!_parts.TryGetValue(key, out var parts))
        {
            _parts[key] = parts = new Dictionary<string, Part>(StringComparer.Ordinal);
        }

        var now = time.GetUtcNow();
        var others = parts.Where(p => p.Key != replica).Sum(p => p.Value.Used + (p.Value.Expires > now ? p.Value.Held : 0));
        var held = Math.Max(0, Math.Min(ask.Hold, ask.Limit - others - ask.Used));
        parts[replica] = new Part(ask.Used, held, now + ask.Expires);
        var name = ask.Meter + " " + ask.Window;
        Most[name] = Math.Max(Most.GetValueOrDefault(name), others + ask.Used + held);
        return new LimitGrant(held, parts.Values.Sum(p => p.Used));
    }

    private readonly record struct Part(decimal Used, decimal Held, DateTimeOffset Expires);
}
