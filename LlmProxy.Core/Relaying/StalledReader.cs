using System.IO.Pipelines;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlmProxy.Core.Relaying;

/// <summary>Waits for a client that is slow to take what it was sent, and cuts it when it no longer takes anything.</summary>
internal static class StalledReader
{
    /// <summary>Waits for a write that did not complete at once.</summary>
    public static async ValueTask<FlushResult> WaitAsync(HttpContext http, ExchangeClock clock, ValueTask<FlushResult> write)
    {
        // Asked for now: the wheel that cuts it first wakes who waits here, and the request may be over before it is aborted.
        var lifetime = http.Features.Get<IHttpRequestLifetimeFeature>();
        clock.BeginWaitForReader(lifetime is null ? null : lifetime.Abort);
        try
        {
            return await write;
        }
        finally
        {
            clock.EndWaitForReader();
            clock.Touch();
        }
    }

    /// <summary>What a client is to blame for whose last bytes had to wait; null for other reasons.</summary>
    /// <param name="reason">Why the exchange was cut. The server may tell of a client that has gone only after the write has ended.</param>
    /// <param name="http">The client.</param>
    public static ProxyError? ErrorOf(CutOff reason, HttpContext http) =>
        reason == CutOff.None && ReaderProgress.IsClosed(http) ? ProxyErrors.ClientGone : ErrorOf(reason);

    /// <summary>What a client is to blame for; null for other reasons.</summary>
    public static ProxyError? ErrorOf(CutOff reason) => reason switch
    {
        CutOff.ClientGone => ProxyErrors.ClientGone,
        CutOff.StalledReader => ProxyErrors.ClientSlow,
        _ => null,
    };

    /// <summary>Where an abort is right: what was flushed is not being read, or nobody may take the response for a whole one.</summary>
    public static void Abort(HttpContext http) => http.Features.Get<IHttpRequestLifetimeFeature>()?.Abort();
}
