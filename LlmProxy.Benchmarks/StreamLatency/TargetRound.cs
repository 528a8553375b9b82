using System.Diagnostics;
using LlmProxy.Benchmarks.StreamLatency.Load;
using LlmProxy.Benchmarks.StreamLatency.Machine;
using LlmProxy.Benchmarks.StreamLatency.Targets;

namespace LlmProxy.Benchmarks.StreamLatency;

/// <summary>One target in one round. Between its turns it is suspended, so that it takes nothing from the others.</summary>
internal sealed class TargetRound(Target target, int round, int upstreamPort, StreamOptions options) : IAsyncDisposable
{
    private const int Starts = 3;

    /// <summary>After the first answer, until a process has done what it does at its start; after it was suspended; and after a load, for what is left of it to do.</summary>
    private static readonly TimeSpan _settling = TimeSpan.FromSeconds(0.6);

    private RunningTarget? _running;

    public Target Target => target;

    /// <summary>For loads: starts it, if it is not there, makes it warm, and suspends it.</summary>
    /// <exception cref="InvalidOperationException">It does not start or does not answer.</exception>
    public async Task PrepareAsync()
    {
        if (_running is null && target is not DirectTarget)
        {
            _running = await StartAsync(isForLoad: true);
            await WarmUpAsync(_running);
            _running.Suspend();
        }
    }

    /// <summary>All that there is of a scenario in one turn; of the direct way, what latencies are compared with.</summary>
    /// <param name="scenario">Which.</param>
    /// <param name="turn">From 0, of those that the scenario has in a round.</param>
    /// <exception cref="InvalidOperationException">The target does not start or does not answer.</exception>
    public async IAsyncEnumerable<Measurement> MeasureAsync(Scenario scenario, int turn)
    {
        if (target is DirectTarget)
        {
            if (scenario.IsOfLatency)
            {
                yield return await MeasureDirectAsync(scenario, turn);
            }
        }
        else if (scenario == Scenario.Start)
        {
            for (var i = 0; i < Starts; i++)
            {
                yield return await MeasureStartAsync();
            }
        }
        else if (scenario == Scenario.Idle)
        {
            // In a fresh process: what other traffic left behind is not what these streams need.
            await DisposeAsync();
            await using var fresh = await StartAsync();
            yield return await MeasureIdleAsync(fresh);
        }
        else
        {
            yield return await MeasureLoadAsync(scenario, turn);
        }
    }

    public ValueTask DisposeAsync() => Interlocked.Exchange(ref _running, null)?.DisposeAsync() ?? ValueTask.CompletedTask;

    private int Number(Scenario scenario, int turn) => ((round - 1) * scenario.Turns) + turn + 1;

    private async Task<Measurement> MeasureDirectAsync(Scenario scenario, int turn)
    {
        await LoadProcess.RunAsync(scenario.Plan!(upstreamPort, options) with { Seconds = 0.5, Requests = 0, Events = 10 });
        return new Measurement(Number(scenario, turn), target.Name, scenario.Name, Load: await LoadProcess.RunAsync(scenario.Plan!(upstreamPort, options)));
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

    private async Task<Measurement> MeasureLoadAsync(Scenario scenario, int turn)
    {
        var running = _running!;
        running.Resume();
        await Task.Delay(_settling);
        var before = ProcessUsage.Of(running.Process);
        var load = await LoadProcess.RunAsync(scenario.Plan!(running.Port, options));
        await Task.Delay(_settling);
        var after = ProcessUsage.Of(running.Process);
        running.Suspend();
        return new Measurement(Number(scenario, turn), target.Name, scenario.Name, after.CpuSeconds - before.CpuSeconds, before.Megabytes, Load: load);
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
