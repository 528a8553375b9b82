using System.Diagnostics;
using System.Numerics;

namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>Times, each to within two percent, in a fixed amount of memory.</summary>
internal sealed class LatencyHistogram
{
    private const int StepBits = 6;
    private const int Steps = 1 << StepBits;
    private static readonly double _microsecondsPerTick = 1e6 / Stopwatch.Frequency;

    private readonly long[] _counts = new long[(64 - StepBits + 1) * Steps];
    private long _count;
    private long _sum;
    private long _longest;

    /// <param name="ticks">As <see cref="Stopwatch"/> counts.</param>
    public void Add(long ticks)
    {
        ticks = Math.Max(0, ticks);
        _count++;
        _sum += ticks;
        _longest = Math.Max(_longest, ticks);

        // The first two rows are exact; each that follows has steps twice as wide.
        var shift = Math.Max(0, BitOperations.Log2((ulong)ticks | 1) - StepBits);
        _counts[(shift * Steps) + (int)(ticks >> shift)]++;
    }

    public LatencySummary Summary() => new(
        _count,
        _count == 0 ? 0 : _sum * _microsecondsPerTick / _count,
        Percentile(0.5),
        Percentile(0.9),
        Percentile(0.99),
        Percentile(0.999),
        _longest * _microsecondsPerTick);

    private double Percentile(double share)
    {
        var wanted = (long)Math.Ceiling(_count * share);
        long passed = 0;
        for (var i = 0; i < _counts.Length && wanted > 0; i++)
        {
            passed += _counts[i];
            if (passed >= wanted)
            {
                var shift = Math.Max(0, (i / Steps) - 1);
                return Math.Min(_longest, ((i - (shift * Steps)) + 0.5) * (1L << shift)) * _microsecondsPerTick;
            }
        }

        return 0;
    }
}

/// <summary>What a histogram says, in microseconds.</summary>
internal sealed record LatencySummary(long Count, double Mean, double P50, double P90, double P99, double P999, double Longest);
