using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Stopping;

namespace LlmProxy.Host.Serving;

/// <summary>Everything that the executable answers, in order.</summary>
internal static class ProxyPipeline
{
    /// <summary>Where the admin API stands.</summary>
    public const string AdminPrefix = "/admin/v1";

    private const string Metrics = "/metrics";

    /// <summary>Builds it.</summary>
    /// <param name="app">The application.</param>
    /// <param name="pages">The executable's own pages.</param>
    /// <param name="ports">Which ports serve what.</param>
    /// <param name="signals">Whether it is stopping.</param>
    /// <param name="options">Which pages may call, and whether the admin API stands beside the API.</param>
    public static void Build(WebApplication app, OwnPages pages, ServedPorts ports, StopSignals signals, LlmProxyOptions options)
    {
        var (cors, servesAdmin) = (options.Cors, options.Admin.OnApiPort);
        app.Use((http, next) => signals.IsStopping ? CloseAfterAsync(http, next) : next(http));
        var admin = BuildAdmin(app);
        app.Use((http, next) => LocalSocket.IsFrom(http) ? (pages.FindLocal(http.Request) ?? admin)(http) : next(http));
        if (ports.HasAdmin)
        {
            app.Use((http, next) => !ports.IsAdmin(http) || IsMetrics(http.Request) ? next(http) : (pages.FindHealth(http.Request) ?? admin)(http));
        }

        if (servesAdmin)
        {
            app.UseLlmProxyAdmin(AdminPrefix);
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

    /// <summary>The admin API and nothing else; whoever comes through the socket is let in without a key.</summary>
    private static RequestDelegate BuildAdmin(WebApplication app)
    {
        var branch = ((IApplicationBuilder)app).New();
        branch.UseLlmProxyAdmin(AdminPrefix, LocalSocket.IsFrom);
        return branch.Build();
    }

    private static bool IsMetrics(HttpRequest request) =>
        request.Path.Value == Metrics && (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method));
}
