using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Serving;

/// <summary>
/// The few pages of the executable itself. Each exists for GET and HEAD under exactly its path; anything else goes on to the
/// API, which answers it with its own errors.
/// </summary>
internal sealed class OwnPages(bool isDemo, ReadyPage ready, RunningPage running)
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
        ("GET" or "HEAD", "/readyz") => ready.AnswerAsync,
        _ => null,
    };

    /// <summary>What the command line asks through the local socket, where nobody but this user can ask.</summary>
    public RequestDelegate? FindLocal(HttpRequest request) =>
        (request.Method, request.Path.Value) is ("GET", RunningPage.Path) ? running.AnswerAsync : FindHealth(request);

    private Task FrontAsync(HttpContext http)
    {
        var address = $"{http.Request.Scheme}://{Visible.Line(http.Request.Host.Value ?? "")}/v1";
        return TextAsync(http, $"LlmProxy: a proxy for large language models that speaks the OpenAI API.{(isDemo ? " DEMO: a built-in fake model answers." : "")}\n"
            + $"Base URL for clients: {address}   (with an API key)\n");
    }

    private static Task TextAsync(HttpContext http, string text)
    {
        http.Response.ContentType = "text/plain; charset=utf-8";
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers.XContentTypeOptions = "nosniff";
        return http.Response.WriteAsync(text);
    }
}
