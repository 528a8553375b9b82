using System.Diagnostics;
using System.Globalization;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Authentication;

/// <summary>How long a key is looked for tells nothing of the keys that there are.</summary>
internal sealed class KeyTimingTests
{
    private const int Samples = 20_000;
    private const int Rounds = 6;
    private const double Limit = 4.5;
    private const string Key = "sk-llmp-0123456789012345678901234567890123456789";

    private static readonly char[] Here = new char[200];

    [Test]
    [Category("S04")]
    public void A_key_that_is_nearly_right_is_refused_as_fast_as_one_that_is_not()
    {
        var options = new LlmProxyOptions();
        options.Keys["a"] = new KeyOptions { Key = Key };
        var ring = new KeyRing(options, static name => name);

        // Of each kind many: where in a table a hash leads is chance, and may take longer for one key than for another.
        var (nearly, wrong, other, longer) = (new string[Samples], new string[Samples], new string[Samples], new string[Samples]);
        for (int i = 0; i < Samples; i++)
        {
            string number = i.ToString("x4", CultureInfo.InvariantCulture);
            nearly[i] = Key[..^4] + number;
            wrong[i] = number + Key[..^4];
            other[i] = wrong[i][..4] + "x" + wrong[i][4..^1];
            longer[i] = nearly[i] + new string('y', 100);
        }

        // The machine has more to do than this: a difference that is always there is seen in each round, one that chance made is not.
        // What it makes of two sets between which there is no difference is seen beside it, round by round.
        (double[] seen, double[] nothing) = (new double[Rounds], new double[Rounds]);
        for (int i = 0; i < Rounds; i++)
        {
            seen[i] = Math.Abs(Welch(ring, nearly, wrong));
            nothing[i] = Math.Abs(Welch(ring, other, wrong));
        }

        double limit = Math.Max(Limit, nothing.Max());
        Assert.That(seen.Min(), Is.LessThan(limit), $"{string.Join(' ', seen)}, of no difference {string.Join(' ', nothing)}");

        // What it would see: one more block to hash is 50 nanoseconds.
        Assert.That(Math.Abs(Welch(ring, nearly, longer)), Is.GreaterThan(limit));
    }

    private static double Welch(KeyRing ring, string[] one, string[] other)
    {
        var times = (One: new double[Samples], Other: new double[Samples]);
        for (int i = -1000; i < Samples; i++)
        {
            int at = Math.Max(i, 0);
            (double first, double second) = i % 2 == 0 ? (Time(ring, one[at]), Time(ring, other[at])) : Swap(Time(ring, other[at]), Time(ring, one[at]));
            if (i >= 0)
            {
                (times.One[i], times.Other[i]) = (first, second);
            }
        }

        return (Mean(times.One) - Mean(times.Other)) / Math.Sqrt((Variance(times.One) + Variance(times.Other)) / (Samples * 0.8));
    }

    private static (double, double) Swap(double first, double second) => (second, first);

    private static double Time(KeyRing ring, string key)
    {
        // Where a key lies, and beside which other, is the test's doing: all are looked for from one place that is in the cache.
        var here = Here.AsSpan(0, key.Length);
        key.CopyTo(here);
        long began = Stopwatch.GetTimestamp();
        ring.Find(here, TimeProvider.System, out _);
        return Stopwatch.GetTimestamp() - began;
    }

    // Without the slowest fifth, in which the scheduler is measured.
    private static double[] Quiet(double[] times) => [.. times.Order().Take((int)(Samples * 0.8))];

    private static double Mean(double[] times) => Quiet(times).Average();

    private static double Variance(double[] times)
    {
        double mean = Mean(times);
        return Quiet(times).Average(time => (time - mean) * (time - mean));
    }
}
