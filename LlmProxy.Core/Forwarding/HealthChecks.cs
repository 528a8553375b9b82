using LlmProxy.Core.Balancing;
using LlmProxy.Core.Routing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Forwarding;

/// <summary>
/// Asks every upstream that has a <c>Probe</c> whether it is well, each at its own pace. One for all of them; whom a reload adds is
/// asked from then on, whom it takes away no more.
/// </summary>
/// <param name="upstreams">Those of the configuration in force.</param>
/// <param name="isStopping">From then on nobody is asked.</param>
/// <param name="states">What is known of them.</param>
/// <param name="probe">Asks one.</param>
/// <param name="time">The app's.</param>
/// <param name="logger">Told when one goes or comes back.</param>
internal sealed partial class HealthChecks(
    Func<IReadOnlyList<Upstream>> upstreams, Func<bool> isStopping, LiveStates states, HealthProbe probe, TimeProvider time, ILogger<HealthChecks> logger)
    : IHostedService, IDisposable
{
    private static readonly TimeSpan _step = TimeSpan.FromMilliseconds(500);

    // Where nobody is to be asked, a reload may still add somebody.
    private static readonly TimeSpan _rest = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stopping = new();
    private ITimer? _timer;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        // In two steps: the first look sets the timer for the next.
        _timer = time.CreateTimer(static state => ((HealthChecks)state!).Step(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _timer?.Dispose();
        return _stopping.CancelAsync();
    }

    public void Dispose()
    {
        _timer?.Dispose();
        _stopping.Dispose();
    }

    private void Step()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        var now = Clock.Ms(time);
        var isAny = false;
        foreach (var upstream in upstreams())
        {
            if (upstream.Options.Probe is not { } options)
            {
                continue;
            }

            isAny = true;
            var check = states.Of(upstream).Check;
            if (check.NextAt == 0)
            {
                // Not all at once when the proxy starts, and soon: what is down is better known before somebody asks for it.
                check.NextAt = Math.Max(1, now + (long)(options.Every.TotalMilliseconds * Random.Shared.NextDouble() / 10));
            }
            else if (now >= check.NextAt && !isStopping() && check.TryBegin())
            {
                check.NextAt = now + (long)(options.Every.TotalMilliseconds * (0.9 + (Random.Shared.NextDouble() / 5)));
                _ = CheckAsync(upstream, states.Of(upstream));
            }
        }

        try
        {
            _timer?.Change(isAny ? _step : _rest, Timeout.InfiniteTimeSpan);
        }
        catch (ObjectDisposedException)
        {
            // It has just been stopped.
        }
    }

    private async Task CheckAsync(Upstream upstream, UpstreamState state)
    {
        try
        {
            var result = await probe.AskAsync(upstream, _stopping.Token);
            if (!result.IsWell)
            {
                if (state.Check.Failed(Clock.Ms(time)))
                {
                    Log.Gone(logger, upstream.Name, result.Reason);
                }

                return;
            }

            if (state.Check.IsFailing)
            {
                Log.Back(logger, upstream.Name);
            }

            await state.FoundWellAsync(result.TellsOfMoney);
        }
        catch (Exception e) when (_stopping.IsCancellationRequested || e is ObjectDisposedException)
        {
            // The proxy ends.
        }
        finally
        {
            state.Check.End();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Upstream {Upstream} failed two health checks in a row and is left alone: {Reason}.")]
        public static partial void Gone(ILogger logger, string upstream, string reason);

        [LoggerMessage(2, LogLevel.Information, "Upstream {Upstream} passed a health check and is asked again.")]
        public static partial void Back(ILogger logger, string upstream);
    }
}
