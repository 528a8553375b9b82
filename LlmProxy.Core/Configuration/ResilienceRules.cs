namespace LlmProxy.Core.Configuration;

/// <summary>Rules of queues, breakers, probes and budgets.</summary>
internal static class ResilienceRules
{
    private const int MostConcurrent = 1_000_000;
    private const int HighestBudget = 1000;

    // The breaker's own bounds: shorter windows and breaks are refused by the library that keeps it.
    private static readonly TimeSpan ShortestBreak = TimeSpan.FromMilliseconds(500);
    private static readonly QueueOptions _usual = new();
    private static readonly TimeSpan Longest = TimeSpan.FromHours(24);

    /// <param name="path">Of the upstream.</param>
    /// <param name="upstream">Its options.</param>
    /// <param name="problems">Takes what is wrong.</param>
    public static void Check(string path, UpstreamOptions upstream, Problems problems)
    {
        CheckTags(Places.Member(path, "Tags"), upstream.Tags, problems);
        CheckNumber(Places.Member(path, "Concurrent"), upstream.Concurrent, 0, MostConcurrent, problems);
        var queue = Places.Member(path, "Queue");
        CheckNumber(Places.Member(queue, "Requests"), upstream.Queue.Requests, 0, MostConcurrent, problems);
        CheckTime(Places.Member(queue, "Wait"), upstream.Queue.Wait, TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1), "1ms to 1h", problems);
        if (upstream.Concurrent == 0 && (upstream.Queue.Requests, upstream.Queue.Wait) is var asked && asked != (_usual.Requests, _usual.Wait))
        {
            problems.Warning(queue, "is not used: without Concurrent no request waits for a place.");
        }

        CheckBreaker(Places.Member(path, "Breaker"), upstream.Breaker, problems);
        if (upstream.Probe is { } probe)
        {
            CheckProbe(Places.Member(path, "Probe"), probe, problems);
        }
    }

    private static void CheckBreaker(string breaker, BreakerOptions options, Problems problems)
    {
        CheckNumber(Places.Member(breaker, "Requests"), options.Requests, 2, MostConcurrent, problems);
        CheckNumber(Places.Member(breaker, "FailurePercent"), options.FailurePercent, 1, 100, problems);
        if (options.Window != TimeSpan.Zero)
        {
            CheckTime(Places.Member(breaker, "Window"), options.Window, ShortestBreak, Longest, "500ms to 24h, or 0s to switch the breaker off", problems);
        }

        CheckTime(Places.Member(breaker, "OpenFor"), options.OpenFor, ShortestBreak, Longest, "500ms to 24h", problems);
        if (options.OpenFor <= Longest && options.OpenFor > options.LongestOpen)
        {
            // Of the two it is the one that was written: LongestOpen has a default that nobody thinks of.
            problems.Error(Places.Member(breaker, "OpenFor"), $"is longer than LongestOpen, which is {TextOf(options.LongestOpen)}. Set both.");
        }
        else
        {
            CheckTime(Places.Member(breaker, "LongestOpen"), options.LongestOpen, TimeSpan.Zero, Longest, "OpenFor to 24h", problems);
        }
    }

    private static string TextOf(TimeSpan time) =>
        time.Ticks % TimeSpan.TicksPerHour == 0 ? $"{time.TotalHours}h"
        : time.Ticks % TimeSpan.TicksPerMinute == 0 ? $"{time.TotalMinutes}m"
        : time.Ticks % TimeSpan.TicksPerSecond == 0 ? $"{time.TotalSeconds}s"
        : $"{(long)time.TotalMilliseconds}ms";

    public static void Check(FailoverOptions failover, Problems problems)
    {
        CheckNumber(Places.Member("Failover", "BudgetPercent"), failover.BudgetPercent, 0, HighestBudget, problems);
        CheckNumber(Places.Member("Failover", "BudgetLeast"), failover.BudgetLeast, 0, MostConcurrent, problems);
    }

    public static void CheckTags(string path, IList<string> tags, Problems problems)
    {
        for (var i = 0; i < tags.Count; i++)
        {
            if (!OptionsRules.IsName(tags[i]))
            {
                problems.Error(Places.Item(path, i), "a tag has 1 to 100 characters on one line.");
            }
        }
    }

    private static void CheckProbe(string path, ProbeOptions probe, Problems problems)
    {
        CheckTime(Places.Member(path, "Every"), probe.Every, TimeSpan.FromSeconds(1), Longest, "1s to 24h", problems);
        CheckTime(Places.Member(path, "Timeout"), probe.Timeout, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(5), "1ms to 5m", problems);
        if (probe.Model is { } model && !OptionsRules.IsName(model, 256))
        {
            problems.Error(Places.Member(path, "Model"), "the name of a model has 1 to 256 characters on one line.");
        }
    }

    private static void CheckNumber(string path, int value, int least, int most, Problems problems)
    {
        if (value < least || value > most)
        {
            problems.Error(path, $"is out of range: {least} to {most}.");
        }
    }

    private static void CheckTime(string path, TimeSpan value, TimeSpan least, TimeSpan most, string range, Problems problems)
    {
        if (value < least || value > most)
        {
            problems.Error(path, $"is out of range: {range}.");
        }
    }
}
