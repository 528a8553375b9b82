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

    private readonly RecentPairs<StrongBox<long>> _recent = new();

    public void Add(string? first, string? second = null, long count = 1)
    {
        var box = _recent.Find(first, second)
            ?? _recent.Keep(first, second, _counts.GetOrAdd((first, second), static _ => new StrongBox<long>()));
        Interlocked.Add(ref box.Value, count);
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

    private KeyValuePair<string, object?>[] Labels((string? First, string? Second) key) => key switch
    {
        (null, null) => [],
        (null, { } second) => [new(secondLabel!, second)],
        ({ } first, null) => [new(label, first)],
        ({ } first, { } second) => [new(label, first), new(secondLabel!, second)],
    };
}
