using System.Net.Sockets;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>Which error an exception of the HTTP client means. Told by its kind, never by its text.</summary>
internal static class Faults
{
    /// <summary>The error of a cut-off; null for a client that has gone, which is told nothing.</summary>
    public static ProxyError? OfCutOff(CutOff reason) => reason switch
    {
        CutOff.ClientGone or CutOff.StalledReader => null,
        CutOff.Idle => ProxyErrors.IdleTimeout,
        CutOff.Total => ProxyErrors.DeadlineExceeded,
        CutOff.Shutdown => ProxyErrors.ShuttingDown,
        CutOff.Superseded => ProxyErrors.Superseded,
        CutOff.Body => ProxyErrors.RequestTimeout,
        CutOff.Fault => ProxyErrors.Internal,
        CutOff.KeyEnded => ProxyErrors.KeyEnded,
        _ => ProxyErrors.Timeout,
    };

    /// <summary>Before there was an answer.</summary>
    /// <param name="exception">The HTTP client's.</param>
    /// <param name="hasConnected">A connection had been opened for this very request.</param>
    public static ProxyError BeforeAnswer(Exception exception, bool hasConnected) => exception switch
    {
        HttpRequestException { InnerException: GuardedAddressException } => ProxyErrors.AddressGuarded,
        HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => ProxyErrors.DnsError,
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => ProxyErrors.TlsError,
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.ProxyTunnelError } => ProxyErrors.ConnectError,
        HttpRequestException { HttpRequestError: HttpRequestError.Unknown } e when IsReset(e) => ProxyErrors.Reset,
        HttpRequestException => ProxyErrors.ProtocolError,
        // The time to connect includes the handshake of TLS; without TLS nothing can time out once there is a connection.
        OperationCanceledException { InnerException: TimeoutException } => hasConnected ? ProxyErrors.TlsError : ProxyErrors.ConnectTimeout,
        IOException e when IsReset(e) => ProxyErrors.Reset,
        _ => ProxyErrors.ProtocolError,
    };

    /// <summary>In the middle of an answer.</summary>
    public static ProxyError InAnswer(Exception exception) => exception switch
    {
        HttpIOException { HttpRequestError: HttpRequestError.ResponseEnded } => ProxyErrors.Truncated,
        HttpIOException { HttpRequestError: HttpRequestError.InvalidResponse or HttpRequestError.HttpProtocolError } => ProxyErrors.ProtocolError,
        InvalidDataException => ProxyErrors.UnsupportedUpstreamEncoding,
        SharedAnswerException e => e.Error,
        _ when IsReset(exception) => ProxyErrors.Reset,
        _ => ProxyErrors.Truncated,
    };

    private static bool IsReset(Exception exception)
    {
        for (Exception? e = exception; e is not null; e = e.InnerException)
        {
            if (e is SocketException)
            {
                return true;
            }
        }

        return false;
    }
}
