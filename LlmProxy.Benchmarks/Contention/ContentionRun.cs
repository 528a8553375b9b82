using System.Diagnostics;
using System.Globalization;

namespace LlmProxy.Benchmarks.Contention;

/// <summary>
/// <c>-- contention</c>: what all requests share, done by one thread and by two at once. A thread that waits for nobody takes as long
/// beside another as alone: a ratio of 1. Needs two processors that nobody else uses.
/// </summary>
internal static class ContentionRun
{
    private const int Rounds = 5;
    private const int Batch = 200;
    private static readonly TimeSpan _time = TimeSpan.FromMilliseconds(300);

    public static int Run()
    {
        if (Environment.ProcessorCount < 2)
        {
            Console.WriteLine("This needs two processors.");
            return 1;
        }

        using var shared = new SharedWork();
        Console.WriteLine($"{"ns per call and thread",-62} {"alone",8} {"of two",8} {"ratio",6}");
        foreach (var (name, work) in shared.All())
        {
            var alone = double.MaxValue;
            var ofTwo = double.MaxValue;
            for (var round = 0; round < Rounds; round++)
            {
                alone = Math.Min(alone, Measure(work, 1));
                ofTwo = Math.Min(ofTwo, Measure(work, 2));
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-62} {alone,8:0.0} {ofTwo,8:0.0} {ofTwo / alone,6:0.00}"));
        }

        return 0;
    }

    /// <summary>Nanoseconds that one call takes a thread, the slowest of them, while all of them call.</summary>
    private static double Measure(Action<int> work, int threads)
    {
        using var start = new Barrier(threads);
        var times = new double[threads];
        var running = Enumerable.Range(0, threads).Select(number => new Thread(() =>
        {
            start.SignalAndWait();
            var (began, calls) = (Stopwatch.GetTimestamp(), 0L);
            do
            {
                for (var i = 0; i < Batch; i++)
                {
                    work(number);
                }

                calls += Batch;
            }
            while (Stopwatch.GetElapsedTime(began) < _time);
            times[number] = Stopwatch.GetElapsedTime(began).TotalNanoseconds / calls;
        })).ToArray();
        foreach (var thread in running)
        {
            thread.Start();
        }

        foreach (var thread in running)
        {
            thread.Join();
        }

        return times.Max();
    }
}
