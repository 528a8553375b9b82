using System.Runtime.InteropServices;
using LlmProxy.Core;

namespace LlmProxy.Host.Serving;

/// <summary>SIGHUP reads the configuration again at once, as it does for many servers. It is watched anyway.</summary>
internal sealed class ReloadSignal : IDisposable
{
    private readonly PosixSignalRegistration _registration;

    public ReloadSignal(LlmProxyReload reload) => _registration = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
    {
        signal.Cancel = true;
        // How it went is in the log and in readiness.
        _ = reload.ReloadAsync();
    });

    public void Dispose() => _registration.Dispose();
}
