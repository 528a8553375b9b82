using System.Runtime.InteropServices;

namespace LlmProxy.Host.Stopping;

/// <summary>
/// The signals that ask the process to end. The first begins an orderly end, the second ends at once; a third has its usual
/// effect, should anything hang. SIGHUP has none.
/// </summary>
internal sealed class StopSignals : IHostLifetime, IDisposable
{
    private static readonly PosixSignal[] _ends = [PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT];

    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _second = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<PosixSignalRegistration> _registrations;

    public StopSignals() => _registrations =
    [
        .. _ends.Select(signal => PosixSignalRegistration.Create(signal, End)),
        // Many send it for "read your configuration again", which is no reason to end.
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, static signal => signal.Cancel = true),
    ];

    public Task First => _first.Task;

    public Task Second => _second.Task;

    public bool IsStopping => _first.Task.IsCompleted;

    // It stands in for the host's own lifetime, which would stop the server at the first signal.
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }
    }

    private void End(PosixSignalContext signal) => signal.Cancel = _first.TrySetResult() || _second.TrySetResult();
}
