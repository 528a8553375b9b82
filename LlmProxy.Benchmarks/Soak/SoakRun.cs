using System.Globalization;

namespace LlmProxy.Benchmarks.Soak;

/// <summary>Mixed traffic for a while, and what is left of it: memory and open files.</summary>
public static class SoakRun
{
    private static readonly TimeSpan _interval = TimeSpan.FromSeconds(5);

    /// <summary>Until memory has found its level; what it does before says nothing about leaks.</summary>
    private const double WarmUp = 0.3;

    /// <returns>0, or 1 if an answer was one that should not have been.</returns>
    public static async Task<int> RunAsync(SoakOptions options)
    {
        await using var upstream = await SoakUpstream.StartAsync();
        await using var proxy = await SoakProxy.StartAsync(options.Executable, upstream.Url);
        using var traffic = new SoakTraffic(proxy.Address);
        var before = Sample.Of(proxy.ProcessId, TimeSpan.Zero);
        Say($"{options.Duration.TotalMinutes:0.#} min, {options.Clients} clients, the proxy {(proxy.IsOwnProcess ? "as its own process" : "in this process: memory is also that of clients and upstream")}");
        Say("   time      memory    open files   threads");
        Say(before.ToString());

        var samples = new List<Sample>();
        using var stopping = new CancellationTokenSource();
        var running = traffic.RunAsync(options.Clients, stopping.Token);
        var started = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(started) is var passed && passed < options.Duration)
        {
            var left = options.Duration - passed;
            await Task.WhenAny(running, Task.Delay(left < _interval ? left : _interval));
            samples.Add(Sample.Of(proxy.ProcessId, TimeProvider.System.GetElapsedTime(started)));
            Say(samples[^1].ToString());
        }

        await stopping.CancelAsync();
        await running;
        traffic.Dispose();
        var after = await SettleAsync(proxy.ProcessId, before);
        Say($"requests     {traffic}");
        Say($"memory       {Slope(samples):+0.00;-0.00} MB in 10 min, by the samples after the first {WarmUp:P0}");
        Say($"open files   {before.Files} before, {after.Files} after all clients left");
        return traffic.Unexpected == 0 ? 0 : 1;
    }

    /// <summary>Idle connections are kept for some seconds; until they are gone, or for as long as the longest of them lives.</summary>
    private static async Task<Sample> SettleAsync(int process, Sample before)
    {
        var after = Sample.Of(process, TimeSpan.Zero);
        for (var i = 0; i < 200 && after.Files > before.Files + 2; i++)
        {
            // By the real clock, as the connections' own time is.
            await Task.Delay(100);
            after = Sample.Of(process, TimeSpan.Zero);
        }

        return after;
    }

    /// <summary>The line through the samples with the least squares, as megabytes in ten minutes.</summary>
    private static double Slope(List<Sample> samples)
    {
        var warm = samples.Skip((int)(samples.Count * WarmUp)).ToArray();
        if (warm.Length < 2)
        {
            return double.NaN;
        }

        var (time, memory) = (warm.Average(s => s.At.TotalMinutes), warm.Average(s => s.Megabytes));
        return 10 * warm.Sum(s => (s.At.TotalMinutes - time) * (s.Megabytes - memory)) / warm.Sum(s => Math.Pow(s.At.TotalMinutes - time, 2));
    }

    private static void Say(FormattableString line) => Say(line.ToString(CultureInfo.InvariantCulture));

    private static void Say(string line) => Console.Out.WriteLine(line);

    /// <summary>A process at one moment, as Linux sees it.</summary>
    private sealed record Sample(TimeSpan At, double Megabytes, int Files, int Threads)
    {
        public static Sample Of(int process, TimeSpan at)
        {
            var status = File.ReadAllLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/status"));
            var files = Directory.EnumerateFileSystemEntries(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/fd")).Count();
            return new Sample(at, Number(status, "VmRSS:") / 1024.0, files, (int)Number(status, "Threads:"));
        }

        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture, $"{At.TotalSeconds,6:0} s {Megabytes,8:0.0} MB {Files,12} {Threads,10}");

        private static long Number(string[] status, string name) => long.Parse(
            status.First(line => line.StartsWith(name, StringComparison.Ordinal)).Split((char[])['\t', ' '], StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture);
    }
}
