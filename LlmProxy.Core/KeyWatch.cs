using LlmProxy.Core.Configuration;
using LlmProxy.Core.Forwarding;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core;

/// <summary>
/// Where the configuration says so, ends requests that run by a key that has ended since. The wheel of clocks asks it to look: after a
/// change of keys at all that run, else at those whose key has an end of its own, so that no request and no key has a timer.
/// </summary>
internal sealed partial class KeyWatch(LlmProxySnapshots snapshots, ClockWheel wheel, TimeProvider time, ILogger<KeyWatch> logger) : IHostedService
{
    private int _isLooking;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        wheel.Look = Look;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Look()
    {
        var current = snapshots.Current;
        if (current.Options.Limits.RevokedKey != RevokedKey.Cut || Interlocked.Exchange(ref _isLooking, 1) != 0)
        {
            return;
        }

        // Before the look: what changes while it lasts is looked at with the next.
        var state = current.KeyState;
        if (wheel.FindKeysDue(state, time.GetUtcNow()) is { } due)
        {
            CutEnded(current, state, due);
        }
        else
        {
            Volatile.Write(ref _isLooking, 0);
        }
    }

    private void CutEnded(LlmProxySnapshot current, long state, List<ExchangeClock> due) => wheel.SetOff(() =>
    {
        try
        {
            var count = 0;
            foreach (var clock in due)
            {
                if (clock.Reason == CutOff.None && !current.Keys.Holds(ref clock.Key, state, time))
                {
                    clock.Cut(CutOff.KeyEnded);
                    count++;
                }
            }

            if (count > 0)
            {
                Log.Cut(logger, count);
            }
        }
        catch (Exception e)
        {
            // On a thread of nobody's it would end the process.
            Log.Failed(logger, e);
        }
        finally
        {
            Volatile.Write(ref _isLooking, 0);
        }
    });

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "{Count} running requests are ended: their keys have ended.")]
        public static partial void Cut(ILogger logger, int count);

        [LoggerMessage(2, LogLevel.Error, "Keys of running requests could not be looked at.")]
        public static partial void Failed(ILogger logger, Exception exception);
    }
}
