using System.Diagnostics;
using System.Globalization;
using LlmProxy.Benchmarks.StreamLatency.Load;
using LlmProxy.Benchmarks.StreamLatency.Targets;

namespace LlmProxy.Benchmarks.MethodProfile;

/// <summary>The executable under a profiler that writes down what it saw when the program ends.</summary>
internal static class ProfiledExecutable
{
    private static readonly TimeSpan _starting = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan _ending = TimeSpan.FromMinutes(1);

    /// <summary>Starts it, plays the loads one after another, and asks it to end.</summary>
    /// <param name="target">Made ready.</param>
    /// <param name="plans">By the port where it listens.</param>
    /// <param name="more">Played behind them.</param>
    /// <exception cref="InvalidOperationException">It did not start, or not answer as it should; the message says why.</exception>
    /// <exception cref="OperationCanceledException">It did not end.</exception>
    public static async Task RunAsync(ExecutableTarget target, IEnumerable<Func<int, LoadPlan>> plans, Func<int, Task>? more = null)
    {
        await using var upstream = RunningTarget.StartUpstream();
        await using var running = target.Start(upstream.Port);
        try
        {
            FirstAnswer.Wait(running.Port, () => running.Process.HasExited, _starting);
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidOperationException($"{e.Message} {running.LastWords()}", e);
        }

        foreach (var plan in plans)
        {
            var result = await LoadProcess.RunAsync(plan(running.Port));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{result.Requests} requests, {result.Events} events, {result.Errors} errors"));
            if (result.Errors > 0)
            {
                throw new InvalidOperationException("Its answers were not right, so it did something else than what a profile is to be of.");
            }
        }

        if (more is not null)
        {
            await more(running.Port);
        }

        // Asked to end, it writes the profile; killed, it does not.
        using var stop = Process.Start("kill", ["-TERM", OwnProcess.Text(running.Process.Id)]);
        using var patience = new CancellationTokenSource(_ending);
        await running.Process.WaitForExitAsync(patience.Token);
    }
}
