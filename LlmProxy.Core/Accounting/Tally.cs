using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// A count by one or two labels that is read when somebody looks. Kept by ourselves and not by a <c>Counter</c>, because what a
/// counter adds before its first listener is there is lost, and a series that starts at its first failure hides that failure
/// from every <c>rate()</c>: here each known name stands at 0 from the start.
/// </summary>
internal sealed class Tally(string label, string? secondLabel = null)
{
    private readonly ConcurrentDictionary<(string? First, string? Second), StrongBox<long>> _counts = new();

    // Most requests count what the one before has counted, by the very same strings: that is found without hashing them.
    private Recent? _recent;

    public void Add(string? first, string? second = null, long count = 1)
    {
        var recent = Volatile.Read(ref _recent);
        if (recent is null || !ReferenceEquals(recent.First, first) || !ReferenceEquals(recent.Second, second))
        {
            recent = new Recent(first, second, _counts.GetOrAdd((first, second), static _ => new StrongBox<long>()));
            Volatile.Write(ref _recent, recent);
        }

        Interlocked.Add(ref recent.Count.Value, count);
    }

    /// <summary>What was counted, and 0 for each of the <paramref name="known"/> names without a count; never nothing at all.</summary>
    public IEnumerable<Measurement<long>> Observe(IEnumerable<string> known)
    {
        foreach (var name in known)
        {
            _counts.TryAdd((name, null), new StrongBox<long>());
        }

        if (_counts.IsEmpty)
        {
            return [new Measurement<long>(0)];
        }

        return _counts.Select(count => new Measurement<long>(Volatile.Read(ref count.Value.Value), Labels(count.Key)));
    }

    private sealed class Recent(string? first, string? second, StrongBox<long> count)
    {
        public string? First { get; } = first;

        public string? Second { get; } = second;

        public StrongBox<long> Count { get; } = count;
    }

    private KeyValuePair<string, object?>[] Labels((string? First, string? Second) key) => key switch
    {
        (null, null) => [],
        (null, { } second) => [new(secondLabel!, second)],
        ({ } first, null) => [new(label, first)],
        ({ } first, { } second) => [new(label, first), new(secondLabel!, second)],
    };
}
