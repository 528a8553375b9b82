using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace LlmProxy.Core;

/// <summary>
/// An app that stops gives its requests some time and then resets their connections, which tells a client nothing. A little
/// before that, what still runs is ended properly.
/// </summary>
internal sealed class LastResort(LlmProxyLifetime lifetime, IHostApplicationLifetime app, IOptions<HostOptions> options, TimeProvider time)
    : IHostedService, IDisposable
{
    // Enough for an error frame on its way to a client that reads.
    private static readonly TimeSpan Before = TimeSpan.FromSeconds(3);

    private ITimer? _timer;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        app.ApplicationStopping.Register(Begin);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _timer?.Dispose();

    private void Begin()
    {
        var timeout = options.Value.ShutdownTimeout;
        if (timeout == Timeout.InfiniteTimeSpan)
        {
            return;
        }

        var wait = timeout > 2 * Before ? timeout - Before : timeout / 2;
        _timer = time.CreateTimer(static state => ((LlmProxyLifetime)state!).EndAll(), lifetime, wait, Timeout.InfiniteTimeSpan);
    }
}
