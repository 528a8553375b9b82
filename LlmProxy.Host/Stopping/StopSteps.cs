using LlmProxy.Core;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Host.Stopping;

/// <summary>From the signal to the moment at which nothing runs any more.</summary>
internal sealed partial class StopSteps(LlmProxyLifetime proxy, StopSignals signals, ShutdownOptions options, TimeProvider time, ILogger logger)
{
    /// <summary>The category under which it says what it does.</summary>
    public const string Category = "llmproxy.shutdown";

    private static readonly TimeSpan _look = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan _betweenLines = TimeSpan.FromSeconds(5);

    /// <summary>For error frames on their way to clients that read.</summary>
    private static readonly TimeSpan _grace = TimeSpan.FromSeconds(2);

    public async Task RunAsync()
    {
        // 1. Readiness says no from here on.
        await signals.First;
        var signalled = time.GetTimestamp();
        Log.Stopping(logger, proxy.ActiveRequests, options.Deadline.TotalSeconds);

        // 2. Whoever has not noticed yet is still served.
        await WaitAsync(options.Pause, isOver: static () => false);

        // 3. What is new is refused, what runs goes on.
        proxy.RefuseNew();
        await WaitAsync(options.Deadline - time.GetElapsedTime(signalled), HasEnded);

        // 4. What still runs is ended, each in its own way of saying so.
        if (!HasEnded())
        {
            Log.EndingAll(logger, proxy.ActiveRequests, signals.Second.IsCompleted ? "a second signal came" : "the deadline has passed");
            await EndAllAsync();
        }
    }

    private bool HasEnded() => proxy.ActiveRequests == 0;

    /// <summary>Until it is over, or for so long, or until the second signal; with a line now and then for those who watch.</summary>
    private async Task WaitAsync(TimeSpan most, Func<bool> isOver)
    {
        var began = time.GetTimestamp();
        var nextLine = _betweenLines;
        while (!isOver() && !signals.Second.IsCompleted && most - time.GetElapsedTime(began) is { Ticks: > 0 } left)
        {
            await Task.WhenAny(signals.Second, Task.Delay(left < _look ? left : _look, time));
            if (time.GetElapsedTime(began) >= nextLine)
            {
                nextLine += _betweenLines;
                Log.Waiting(logger, proxy.ActiveRequests);
            }
        }
    }

    private async Task EndAllAsync()
    {
        var began = time.GetTimestamp();
        do
        {
            // Again and again: it does not reach a request that was let in and has only just begun.
            proxy.EndAll();
            await Task.Delay(_look, time);
        }
        while (!HasEnded() && time.GetElapsedTime(began) < _grace);
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Stopping, requests in flight: {Active}. What still runs in {Seconds} s, or at a second signal, is ended.")]
        public static partial void Stopping(ILogger logger, long active, double seconds);

        [LoggerMessage(2, LogLevel.Information, "Stopping, requests in flight: {Active}.")]
        public static partial void Waiting(ILogger logger, long active);

        [LoggerMessage(3, LogLevel.Warning, "Ending all requests in flight, {Active}: {Why}.")]
        public static partial void EndingAll(ILogger logger, long active, string why);
    }
}
