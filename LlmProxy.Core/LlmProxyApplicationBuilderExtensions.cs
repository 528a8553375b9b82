using LlmProxy.Core.Endpoints;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace LlmProxy.Core;

/// <summary>Puts LlmProxy into an application's pipeline.</summary>
public static class LlmProxyApplicationBuilderExtensions
{
    /// <summary>
    /// Serves everything under <paramref name="prefix"/> (404 and 405 included) and passes anything else on untouched.
    /// An empty prefix serves every path that gets this far.
    /// </summary>
    /// <param name="app">The application.</param>
    /// <param name="prefix">A path without a trailing slash, or nothing. Compared exactly.</param>
    public static IApplicationBuilder UseLlmProxy(this IApplicationBuilder app, string prefix = "/v1")
    {
        ArgumentNullException.ThrowIfNull(app);
        prefix = Normalize(prefix);
        var proxy = Find(app.ApplicationServices);
        return app.Use(next => http => TryStrip(http.Request.Path.Value ?? "", prefix, out var path) ? proxy.InvokeAsync(http, path) : next(http));
    }

    /// <summary>
    /// Maps the same as endpoints, so that <c>RequireAuthorization()</c>, <c>RequireRateLimiting()</c> or
    /// <c>RequireCors()</c> can be chained.
    /// </summary>
    /// <param name="endpoints">The application.</param>
    /// <param name="prefix">A path without a trailing slash, or nothing.</param>
    public static IEndpointConventionBuilder MapLlmProxy(this IEndpointRouteBuilder endpoints, string prefix = "/v1")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        prefix = Normalize(prefix);
        var proxy = Find(endpoints.ServiceProvider);

        // The path itself rather than a route value: routing decodes values, and an id in a path must stay as it was sent.
        return endpoints
            .Map(prefix + "/{**path}", http => proxy.InvokeAsync(http, (http.Request.Path.Value ?? "")[prefix.Length..]))
            .WithMetadata(new LlmProxyEndpointMark(prefix))
            .WithDisplayName("LlmProxy");
    }

    private static LlmProxyMiddleware Find(IServiceProvider services) => services.GetService<LlmProxyMiddleware>()
        ?? throw new InvalidOperationException("LlmProxy has not been added: call builder.AddLlmProxy(…) first.");

    internal static string Normalize(string prefix)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        prefix = prefix.TrimEnd('/');
        return prefix.Length == 0 || prefix[0] == '/' ? prefix : throw new ArgumentException("A prefix begins with a slash.", nameof(prefix));
    }

    internal static bool TryStrip(string path, string prefix, out string rest)
    {
        var isOurs = path.StartsWith(prefix, StringComparison.Ordinal) && (path.Length == prefix.Length || prefix.Length == 0 || path[prefix.Length] == '/');
        rest = isOurs ? EndpointTable.Rest(path, prefix.Length) : "";
        return isOurs;
    }
}
