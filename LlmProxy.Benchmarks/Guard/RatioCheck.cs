using System.Diagnostics;

namespace LlmProxy.Benchmarks.Guard;

/// <summary>How long something may take, as a multiple of something else that does the same amount of work on the same bytes.</summary>
/// <param name="name">What is checked, and against what.</param>
/// <param name="most">The highest ratio that is taken.</param>
/// <param name="baseline">Done in one go.</param>
/// <param name="work">What may take <paramref name="most"/> times as long.</param>
/// <remarks>
/// Other processes can only make a run longer. So both are run in turns, in runs short enough that some are not interrupted, and
/// only the shortest of each counts; if the ratio is too high then, more runs are tried before it is called so.
/// </remarks>
internal sealed class RatioCheck(string name, double most, Action baseline, Action work)
{
    private const int FewestRounds = 100;
    private const int MostRounds = 5000;
    private static readonly TimeSpan _run = TimeSpan.FromMicroseconds(200);

    public string Name => name;

    public double Most => most;

    /// <summary>Work by baseline, from the shortest run of each.</summary>
    public double Measure(out int rounds)
    {
        var (times, timesWork) = (Calibrate(baseline), Calibrate(work));
        var (shortest, shortestWork) = (double.MaxValue, double.MaxValue);
        for (rounds = 1; ; rounds++)
        {
            shortest = Math.Min(shortest, Run(baseline, times) / times);
            shortestWork = Math.Min(shortestWork, Run(work, timesWork) / timesWork);
            var ratio = shortestWork / shortest;
            if (rounds >= MostRounds || (rounds >= FewestRounds && ratio <= most))
            {
                return ratio;
            }
        }
    }

    // Long enough for the JIT to have its last word as well.
    private static int Calibrate(Action action)
    {
        for (var i = 0; i < 3; i++)
        {
            var warm = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(warm) < TimeSpan.FromMilliseconds(150))
            {
                action();
            }

            // The JIT compiles anew in the background, by the real clock, once nothing new was called for a tenth of a second.
            Thread.Sleep(150);
        }

        var shortest = double.MaxValue;
        for (var i = 0; i < 100; i++)
        {
            shortest = Math.Min(shortest, Run(action, 1));
        }

        return Math.Max(1, (int)(_run.Ticks * (double)Stopwatch.Frequency / TimeSpan.TicksPerSecond / Math.Max(1, shortest)));
    }

    private static double Run(Action action, int times)
    {
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < times; i++)
        {
            action();
        }

        return Stopwatch.GetTimestamp() - started;
    }
}
