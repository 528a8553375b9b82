using System.Diagnostics;
using LlmProxy.Benchmarks.StreamLatency.Load;
using LlmProxy.Benchmarks.StreamLatency.Machine;
using LlmProxy.Benchmarks.StreamLatency.Targets;

namespace LlmProxy.Benchmarks.StreamLatency;

/// <summary>All scenarios with one target, once.</summary>
internal sealed class TargetRound(Target target, int round, int upstreamPort, StreamOptions options)
{
    private const int Starts = 3;

    /// <summary>After the first answer, until a process has done what it does at its start.</summary>
    private static readonly TimeSpan _settling = TimeSpan.FromSeconds(0.5);

    /// <exception cref="InvalidOperationException">The target does not start or does not answer.</exception>
    public async IAsyncEnumerable<Measurement> MeasureAsync(IReadOnlyList<Scenario> scenarios)
    {
        if (scenarios.Contains(Scenario.Start))
        {
            for (var i = 0; i < Starts; i++)
            {
                yield return await MeasureStartAsync();
            }
        }

        var loads = scenarios.Where(static s => s != Scenario.Start && s != Scenario.Idle).ToArray();
        if (loads.Length > 0)
        {
            await using var running = await StartAsync(isForLoad: true);
            await WarmUpAsync(running);
            foreach (var scenario in loads)
            {
                yield return await MeasureLoadAsync(running, scenario);
            }
        }

        if (scenarios.Contains(Scenario.Idle))
        {
            // In a fresh process: what other traffic left behind is not what these streams need.
            await using var running = await StartAsync();
            yield return await MeasureIdleAsync(running);
        }
    }

    /// <summary>The client straight to the upstream.</summary>
    public async IAsyncEnumerable<Measurement> MeasureDirectAsync(IReadOnlyList<Scenario> scenarios)
    {
        foreach (var scenario in scenarios.Where(static s => s == Scenario.First || s == Scenario.Sequence || s == Scenario.Paced))
        {
            await LoadProcess.RunAsync(scenario.Plan!(upstreamPort, options) with { Seconds = 0.5, Requests = 0, Events = 10 });
            yield return new Measurement(round, target.Name, scenario.Name, Load: await LoadProcess.RunAsync(scenario.Plan!(upstreamPort, options)));
        }
    }

    private async Task<Measurement> MeasureStartAsync()
    {
        var started = Stopwatch.GetTimestamp();
        await using var running = target.Start(upstreamPort);
        FirstAnswer.Wait(running.Port, () => running.Process.HasExited);
        var time = Stopwatch.GetElapsedTime(started);
        await Task.Delay(_settling);
        return new Measurement(
            round, target.Name, Scenario.Start.Name, Megabytes: ProcessUsage.Of(running.Process).Megabytes, StartMilliseconds: time.TotalMilliseconds);
    }

    private async Task<Measurement> MeasureLoadAsync(RunningTarget running, Scenario scenario)
    {
        var before = ProcessUsage.Of(running.Process);
        var load = await LoadProcess.RunAsync(scenario.Plan!(running.Port, options));
        var after = ProcessUsage.Of(running.Process);
        return new Measurement(round, target.Name, scenario.Name, after.CpuSeconds - before.CpuSeconds, before.Megabytes, Load: load);
    }

    private async Task<Measurement> MeasureIdleAsync(RunningTarget running)
    {
        await Task.Delay(_settling);
        var before = ProcessUsage.Of(running.Process);
        var client = LoadProcess.RunAsync(Scenario.Idle.Plan!(running.Port, options));
        await Task.Delay(TimeSpan.FromSeconds(Scenario.WeighAfter));
        var under = ProcessUsage.Of(running.Process);
        return new Measurement(round, target.Name, Scenario.Idle.Name, null, before.Megabytes, under.Megabytes, Load: await client);
    }

    private async Task<RunningTarget> StartAsync(bool isForLoad = false)
    {
        var running = target.Start(upstreamPort, isForLoad);
        try
        {
            FirstAnswer.Wait(running.Port, () => running.Process.HasExited);
            return running;
        }
        catch (InvalidOperationException e)
        {
            var words = running.LastWords();
            await running.DisposeAsync();
            throw new InvalidOperationException($"{e.Message} {words}", e);
        }
    }

    /// <summary>What is compiled as it runs needs some thousand requests of each kind until it is as fast as it gets.</summary>
    private async Task WarmUpAsync(RunningTarget running)
    {
        var seconds = Math.Min(2, options.Seconds);
        for (var i = 0; i < 2; i++)
        {
            await LoadProcess.RunAsync(Scenario.Json.Plan!(running.Port, options) with { Seconds = seconds });
            await LoadProcess.RunAsync(Scenario.Burst.Plan!(running.Port, options) with { Seconds = seconds / 2 });
            await LoadProcess.RunAsync(Scenario.Paced.Plan!(running.Port, options) with { Events = (int)(50 * seconds) });
        }
    }
}
