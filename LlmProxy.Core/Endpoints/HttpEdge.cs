using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Endpoints;

/// <summary>
/// Refuses what the server leaves to the application: framing that two readers could read in two ways. One client request
/// never becomes two upstream requests.
/// </summary>
internal static class HttpEdge
{
    /// <returns>Null for a request whose framing is plain.</returns>
    public static ProxyError? Check(HttpRequest request)
    {
        var headers = request.Headers;
        if (headers.TransferEncoding.Count > 0 && CheckTransferEncoding(request) is { } error)
        {
            return error;
        }

        if (headers.Expect.Count > 0 && !string.Equals(headers.Expect.ToString(), "100-continue", StringComparison.OrdinalIgnoreCase))
        {
            return ProxyErrors.ExpectationFailed;
        }

        return headers.Host.Count == 0 || string.IsNullOrWhiteSpace(headers.Host[0])
            ? ProxyErrors.AmbiguousFraming("The Host header is empty.")
            : null;
    }

    private static ProxyError? CheckTransferEncoding(HttpRequest request)
    {
        // RFC 9112, 6.1: a server "that receives a request message with a transfer coding it does not understand SHOULD
        // respond with 501"; and Transfer-Encoding in HTTP/1.0 means that "its framing is faulty".
        if (HttpProtocol.IsHttp10(request.Protocol))
        {
            return ProxyErrors.AmbiguousFraming("Transfer-Encoding is not part of HTTP/1.0.");
        }

        if (request.Headers.TransferEncoding.Count != 1
            || !string.Equals(request.Headers.TransferEncoding[0], "chunked", StringComparison.OrdinalIgnoreCase))
        {
            return ProxyErrors.UnsupportedTransferEncoding;
        }

        // The server drops a Content-Length beside chunks and keeps it under this name.
        return request.ContentLength is not null || request.Headers.ContainsKey("X-Content-Length")
            ? ProxyErrors.AmbiguousFraming("The body has both a Content-Length and chunks. Send one.")
            : null;
    }
}
