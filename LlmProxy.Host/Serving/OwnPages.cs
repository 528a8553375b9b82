using System.Text.Json;
using LlmProxy.Core;
using LlmProxy.Host.Stopping;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Serving;

/// <summary>
/// The few pages of the executable itself. Each exists for GET and HEAD under exactly its path; anything else goes on to the
/// API, which answers it with its own errors.
/// </summary>
internal sealed class OwnPages(StopSignals signals, LlmProxyLifetime proxy, LlmProxyStatus status, bool isDemo)
{
    /// <summary>The page for a request; null if it is none of these.</summary>
    public RequestDelegate? Find(HttpRequest request)
    {
        var isHead = HttpMethods.IsHead(request.Method);
        if (!isHead && !HttpMethods.IsGet(request.Method))
        {
            return null;
        }

        return request.Path.Value switch
        {
            // Coding agents begin with a HEAD of these two to see whether anybody is there.
            "/" => FrontAsync,
            "/api/hello" when isHead => static _ => Task.CompletedTask,
            _ => FindHealth(request),
        };
    }

    /// <summary>The same, without the page that is there for users of the API.</summary>
    public RequestDelegate? FindHealth(HttpRequest request) => (request.Method, request.Path.Value) switch
    {
        ("GET" or "HEAD", "/healthz") => static http => TextAsync(http, "ok\n"),
        ("GET" or "HEAD", "/readyz") => ReadyAsync,
        _ => null,
    };

    private Task FrontAsync(HttpContext http)
    {
        var address = $"{http.Request.Scheme}://{Visible.Line(http.Request.Host.Value ?? "")}/v1";
        return TextAsync(http, $"LlmProxy: a proxy for large language models that speaks the OpenAI API.{(isDemo ? " DEMO: a built-in fake model answers." : "")}\n"
            + $"Base URL for clients: {address}   (with an API key)\n");
    }

    private async Task ReadyAsync(HttpContext http)
    {
        var isStopping = signals.IsStopping;
        http.Response.StatusCode = isStopping ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
        http.Response.ContentType = "application/json";
        http.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(http.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("status"u8, isStopping ? "stopping"u8 : "ready"u8);
        json.WriteNumber("in_flight"u8, proxy.ActiveRequests);
        json.WriteBoolean("demo"u8, isDemo);
        if (isDemo)
        {
            json.WriteString("detail"u8, "DEMO: nothing is configured, a built-in fake model answers"u8);
        }

        UpstreamsJson.Write(json, status.GetUpstreams());
        json.WriteEndObject();
    }

    private static Task TextAsync(HttpContext http, string text)
    {
        http.Response.ContentType = "text/plain; charset=utf-8";
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers.XContentTypeOptions = "nosniff";
        return http.Response.WriteAsync(text);
    }
}
