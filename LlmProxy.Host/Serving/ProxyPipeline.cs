using LlmProxy.Core;

namespace LlmProxy.Host.Serving;

/// <summary>Everything that the executable answers, in order.</summary>
internal static class ProxyPipeline
{
    private const string Metrics = "/metrics";

    /// <summary>Builds it.</summary>
    /// <param name="app">The application.</param>
    /// <param name="pages">The executable's own pages.</param>
    /// <param name="ports">Which ports serve what.</param>
    public static void Build(WebApplication app, OwnPages pages, ServedPorts ports)
    {
        if (ports.HasAdmin)
        {
            app.Use((http, next) => ports.IsAdmin(http) ? AnswerAdminAsync(http, next, pages) : next(http));
        }

        // The API's usual address goes first, so that the executable's own pages cost it nothing.
        app.UseLlmProxy("/v1");
        app.Use((http, next) => (pages.Find(http.Request) ?? next)(http));
        // Its own test of the path ignores case and takes any method: this one decides, and by the port that was reached,
        // since a Host header can say anything.
        app.UseOpenTelemetryPrometheusScrapingEndpoint(http => IsMetrics(http.Request) && ports.ServesMetrics(http));
        // Clients whose base address ends without /v1.
        app.UseLlmProxy("");
    }

    private static Task AnswerAdminAsync(HttpContext http, RequestDelegate next, OwnPages pages)
    {
        if (IsMetrics(http.Request))
        {
            return next(http);
        }

        if (pages.FindHealth(http.Request) is { } page)
        {
            return page(http);
        }

        http.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    private static bool IsMetrics(HttpRequest request) =>
        request.Path.Value == Metrics && (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method));
}
