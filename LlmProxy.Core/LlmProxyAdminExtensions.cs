using LlmProxy.Core.Admin;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace LlmProxy.Core;

/// <summary>Puts the admin API of LlmProxy into an application.</summary>
public static class LlmProxyAdminExtensions
{
    /// <summary>
    /// Maps the admin API: keys and groups, usage, limits, upstreams, configuration. Who asks needs a key of
    /// <see cref="Configuration.AdminOptions.Keys"/>, or, where <c>RequireAuthorization()</c> is chained, to be whom that lets in.
    /// </summary>
    /// <param name="endpoints">The application. <c>RequireHost</c> is no protection: a Host header can be forged.</param>
    /// <param name="prefix">A path without a trailing slash.</param>
    public static IEndpointConventionBuilder MapLlmProxyAdmin(this IEndpointRouteBuilder endpoints, string prefix = "/admin/v1")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        prefix = LlmProxyApplicationBuilderExtensions.Normalize(prefix);
        var admin = Find(endpoints.ServiceProvider);
        return endpoints
            .Map(prefix + "/{**path}", http => admin.InvokeAsync(http, (http.Request.Path.Value ?? "")[prefix.Length..], UserOf(http)))
            .WithDisplayName("LlmProxy admin");
    }

    /// <summary>The same without endpoint routing: serves everything under <paramref name="prefix"/> and passes anything else on.</summary>
    /// <param name="app">The application.</param>
    /// <param name="prefix">A path without a trailing slash.</param>
    /// <param name="isTrusted">True for requests whose sender needs no key, because the way that they came is one only an operator has.</param>
    public static IApplicationBuilder UseLlmProxyAdmin(this IApplicationBuilder app, string prefix = "/admin/v1", Func<HttpContext, bool>? isTrusted = null)
    {
        ArgumentNullException.ThrowIfNull(app);
        prefix = LlmProxyApplicationBuilderExtensions.Normalize(prefix);
        var admin = Find(app.ApplicationServices);
        var local = new AdminCaller("local", IsReadOnly: false);
        return app.Use(next => http => LlmProxyApplicationBuilderExtensions.TryStrip(http.Request.Path.Value ?? "", prefix, out var path)
            ? admin.InvokeAsync(http, path, isTrusted?.Invoke(http) == true ? local : null)
            : next(http));
    }

    private static AdminApi Find(IServiceProvider services) => services.GetService<AdminApi>()
        ?? throw new InvalidOperationException("LlmProxy has not been added: call builder.AddLlmProxy(…) first.");

    private static AdminCaller? UserOf(HttpContext http) =>
        http.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>() is not null && http.User.Identity is { IsAuthenticated: true } identity
            ? new AdminCaller(Protocol.DisplayText.Name(identity.Name ?? "user"), IsReadOnly: false)
            : null;
}
