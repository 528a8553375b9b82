using System.Diagnostics;
using System.Text.Json;
using LlmProxy.Benchmarks.StreamLatency.Machine;
using LlmProxy.Benchmarks.StreamLatency.Targets;

namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>The client, in a process of its own.</summary>
internal static class LoadProcess
{
    /// <summary>Longer than the ten seconds that the client waits beyond the load.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    /// <exception cref="InvalidOperationException">It failed, or did not end.</exception>
    public static async Task<LoadResult> RunAsync(LoadPlan plan)
    {
        var command = OwnProcess.LoadCommand("client", JsonSerializer.Serialize(plan));
        command.RedirectStandardOutput = true;
        using var process = Cpus.Pinned(isProxy: false, () => Process.Start(command)!);
        var text = process.StandardOutput.ReadToEndAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(plan.Seconds + (1e-6 * plan.Events * plan.Interval)) + _patience);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
        }

        return process.HasExited && process.ExitCode == 0
            ? JsonSerializer.Deserialize<LoadResult>(await text)!
            : throw new InvalidOperationException("The client failed.");
    }
}
