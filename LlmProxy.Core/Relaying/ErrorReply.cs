using System.Buffers;
using System.Globalization;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Relaying;

/// <summary>The one place that answers with an error.</summary>
internal static class ErrorReply
{
    private const int LongestWaitSeconds = 60;

    /// <summary>Writes status, headers and body. The response must not have begun.</summary>
    /// <returns>How many bytes the body has.</returns>
    public static async ValueTask<int> WriteAsync(HttpContext http, Dialect dialect, ProxyError error, string? contact, ResponseHeaders headers)
    {
        var response = http.Response;
        response.StatusCode = error.Status;
        headers.Apply(response, null);
        response.Headers.CacheControl = "no-store";
        response.ContentType = "application/json";
        SetRetry(response.Headers, error);
        if (error.Status == StatusCodes.Status401Unauthorized)
        {
            response.Headers.WWWAuthenticate = "Bearer";
        }

        if (error.Allow is not null)
        {
            response.Headers.Allow = error.Allow;
        }

        if (error.ClosesConnection && HttpProtocol.IsHttp11(http.Request.Protocol))
        {
            response.Headers.Connection = "close";
        }

        var body = Compose(dialect, error, contact, headers.RequestId);
        response.ContentLength = body.Length;
        if (HttpMethods.IsHead(http.Request.Method))
        {
            await response.StartAsync();
            return 0;
        }

        await response.BodyWriter.WriteAsync(body);
        return body.Length;
    }

    private static ReadOnlyMemory<byte> Compose(Dialect dialect, ProxyError error, string? contact, string requestId)
    {
        var output = new ArrayBufferWriter<byte>(512);
        dialect.WriteError(error, ErrorText.Compose(error, contact), requestId, output);
        return output.WrittenMemory;
    }

    private static void SetRetry(IHeaderDictionary headers, ProxyError error)
    {
        if (error.IsFinal)
        {
            // Some clients wait and retry whatever they are told: then at least not at once, and not for long.
            headers["x-should-retry"] = "false";
            headers.RetryAfter = "1";
        }
        else if (error.RetryAfterMs > 0)
        {
            var seconds = Math.Clamp((error.RetryAfterMs + 999) / 1000, 1, LongestWaitSeconds);
            headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
            headers["retry-after-ms"] = Math.Min(error.RetryAfterMs, LongestWaitSeconds * 1000).ToString(CultureInfo.InvariantCulture);
        }
    }
}
