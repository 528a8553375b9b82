using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Stopping;

namespace LlmProxy.Host.Serving;

/// <summary>Everything that the executable answers, in order.</summary>
internal static class ProxyPipeline
{
    private const string Metrics = "/metrics";

    /// <summary>Builds it.</summary>
    /// <param name="app">The application.</param>
    /// <param name="pages">The executable's own pages.</param>
    /// <param name="ports">Which ports serve what.</param>
    /// <param name="signals">Whether it is stopping.</param>
    /// <param name="cors">Which pages may call.</param>
    public static void Build(WebApplication app, OwnPages pages, ServedPorts ports, StopSignals signals, CorsOptions cors)
    {
        app.Use((http, next) => signals.IsStopping ? CloseAfterAsync(http, next) : next(http));
        app.Use((http, next) => LocalSocket.IsFrom(http) ? AnswerOwnAsync(http, pages.FindLocal(http.Request)) : next(http));
        if (ports.HasAdmin)
        {
            var explain = new ExplainPage(app.Services.GetRequiredService<LlmProxyExplainer>());
            app.Use((http, next) => ports.IsAdmin(http) ? AnswerAdminAsync(http, next, pages, explain) : next(http));
        }

        if (BrowserAccess.IsOn(cors))
        {
            app.UseWhen(static http => !IsMetrics(http.Request), static api => api.UseCors());
        }

        TrustedProxies.Use(app);

        // The API's usual address goes first, so that the executable's own pages cost it nothing.
        app.UseLlmProxy("/v1");
        app.Use((http, next) => (pages.Find(http.Request) ?? next)(http));
        // Its own test of the path ignores case and takes any method: this one decides, and by the port that was reached,
        // since a Host header can say anything.
        app.UseOpenTelemetryPrometheusScrapingEndpoint(http => IsMetrics(http.Request) && ports.ServesMetrics(http));
        // Clients whose base address ends without /v1.
        app.UseLlmProxy("");
    }

    /// <summary>Whoever keeps connections is to make the next one, which a balancer leads elsewhere.</summary>
    private static Task CloseAfterAsync(HttpContext http, RequestDelegate next)
    {
        if (HttpProtocol.IsHttp11(http.Request.Protocol))
        {
            http.Response.Headers.Connection = "close";
        }

        return next(http);
    }

    private static Task AnswerAdminAsync(HttpContext http, RequestDelegate next, OwnPages pages, ExplainPage explain)
    {
        if (IsMetrics(http.Request))
        {
            return next(http);
        }

        return AnswerOwnAsync(http, pages.FindHealth(http.Request) ?? explain.Find(http.Request));
    }

    private static Task AnswerOwnAsync(HttpContext http, RequestDelegate? page)
    {
        if (page is not null)
        {
            return page(http);
        }

        http.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    private static bool IsMetrics(HttpRequest request) =>
        request.Path.Value == Metrics && (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method));
}
