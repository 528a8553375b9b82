using System.Globalization;
using LlmProxy.Benchmarks.StreamLatency.Machine;
using LlmProxy.Benchmarks.StreamLatency.Reports;
using LlmProxy.Benchmarks.StreamLatency.Targets;

namespace LlmProxy.Benchmarks.StreamLatency;

/// <summary>All rounds: every target with every scenario, one after another, and what came of it.</summary>
internal sealed class StreamRun(StreamOptions options, TextWriter output)
{
    private readonly List<Measurement> _measurements = [];
    private readonly Dictionary<string, string> _leftOut = [];

    /// <returns>0, or 1 if an answer was not right.</returns>
    /// <exception cref="FormatException">The options name a target or a scenario that does not exist.</exception>
    public async Task<int> RunAsync()
    {
        var scenarios = Chosen(Scenario.All, options.Scenarios, static s => s.Name, "scenario");
        var targets = Chosen(AllTargets(), options.Only, static t => t.Name, "target");
        foreach (var target in targets)
        {
            if (target.Prepare(output.WriteLine) is { } reason)
            {
                LeaveOut(target, reason);
            }
        }

        var bounded = OpenFiles.Bound(options);
        for (var round = 1; round <= options.Rounds; round++)
        {
            Say($"round {round} of {options.Rounds}");
            await using var upstream = RunningTarget.StartUpstream();
            await RunRoundAsync(targets.Select(t => new TargetRound(t, round, upstream.Port, bounded)).ToList(), scenarios);
        }

        var report = Report.Of(bounded, targets, _measurements, _leftOut);
        output.WriteLine();
        output.Write(TextReport.Write(report));
        ResultFiles.Write(report, options.Output);
        Say($"Written: stream.md, stream.json and stream.svg in {options.Output}");
        return report.Errors == 0 ? 0 : 1;
    }

    /// <summary>Scenario after scenario, in each of them target after target: what is compared is not far apart in time.</summary>
    private async Task RunRoundAsync(List<TargetRound> targets, IReadOnlyList<Scenario> scenarios)
    {
        try
        {
            foreach (var scenario in scenarios)
            {
                foreach (var target in targets.Where(t => scenario.IsLoad && !_leftOut.ContainsKey(t.Target.Name)))
                {
                    await PrepareAsync(target);
                }

                for (var turn = 0; turn < scenario.Turns; turn++)
                {
                    foreach (var target in targets.Where(t => !_leftOut.ContainsKey(t.Target.Name)))
                    {
                        await MeasureAsync(target, scenario, turn);
                    }
                }
            }
        }
        finally
        {
            foreach (var target in targets)
            {
                await target.DisposeAsync();
            }
        }
    }

    private async Task PrepareAsync(TargetRound target)
    {
        try
        {
            await target.PrepareAsync();
        }
        catch (InvalidOperationException e)
        {
            await target.DisposeAsync();
            LeaveOut(target.Target, e.Message);
        }
    }

    private async Task MeasureAsync(TargetRound target, Scenario scenario, int turn)
    {
        try
        {
            await foreach (var measurement in target.MeasureAsync(scenario, turn))
            {
                _measurements.Add(measurement);
                Say($"  {scenario.Name,-6} {target.Target.Name,-10} {Line(measurement)}");
            }
        }
        catch (InvalidOperationException e)
        {
            // It may still be busy with what failed.
            await target.DisposeAsync();
            LeaveOut(target.Target, e.Message);
        }
    }

    private static string Line(Measurement m) => m switch
    {
        { StartMilliseconds: { } time } => Text($"{time:0} ms, {m.Megabytes:0.0} MB"),
        { MegabytesUnderLoad: { } memory } => Text($"{m.Megabytes:0.0} MB, {memory:0.0} MB under load; {m.Load!.Requests} streams, {m.Load.Errors} errors"),
        { Load: { Events: > 0 } load } => Text(
            $"{load.Requests / load.Seconds,8:0} /s   CPU {1e6 * m.CpuSeconds / load.Events,6:0.00} us per event   event p50 {load.Event.P50:0} p99 {load.Event.P99:0} us   first {load.First.P50:0} us   {load.Errors} errors"),
        { Load: { } load } => Text(
            $"{load.Requests / load.Seconds,8:0} /s   CPU {1e6 * m.CpuSeconds / load.Requests,6:0.0} us per request   p50 {load.Whole.P50:0} p99 {load.Whole.P99:0} us   {load.Errors} errors"),
        _ => "",
    };

    private List<Target> AllTargets() =>
    [
        new DirectTarget(),
        new NginxTarget(),
        new HaproxyTarget(),
        new ExecutableTarget(options.Executable),
        new AppTarget("library", "LlmProxy, library", typeof(Core.Configuration.LlmProxyOptions).Assembly.GetName().Version!.ToString(3)),
        new AppTarget("yarp", "YARP", typeof(Yarp.ReverseProxy.Configuration.RouteConfig).Assembly.GetName().Version!.ToString(3)),
    ];

    private static List<T> Chosen<T>(IReadOnlyList<T> all, IReadOnlyList<string> names, Func<T, string> nameOf, string what)
    {
        if (names.FirstOrDefault(name => !all.Any(one => nameOf(one) == name)) is { } unknown)
        {
            throw new FormatException($"There is no {what} {unknown}: {string.Join(", ", all.Select(nameOf))}.");
        }

        return all.Where(one => names.Count == 0 || names.Contains(nameOf(one))).ToList();
    }

    private void LeaveOut(Target target, string reason)
    {
        _leftOut[target.Name] = reason;
        Say($"{target.Label} is left out: {reason}");
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private void Say(FormattableString text) => output.WriteLine(Text(text));
}
