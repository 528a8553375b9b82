using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;

namespace LlmProxy.Core;

/// <summary>Puts LlmProxy into an application's pipeline.</summary>
public static class LlmProxyApplicationBuilderExtensions
{
    /// <summary>
    /// Serves everything under <paramref name="prefix"/> (404 and 405 included) and passes anything else on untouched.
    /// An empty prefix serves every path that gets this far.
    /// </summary>
    public static IApplicationBuilder UseLlmProxy(this IApplicationBuilder app, string prefix = "/v1") =>
        throw new NotImplementedException();

    /// <summary>
    /// Maps the same as endpoints, so that <c>RequireAuthorization()</c>, <c>RequireRateLimiting()</c> or
    /// <c>RequireCors()</c> can be chained.
    /// </summary>
    public static IEndpointConventionBuilder MapLlmProxy(this IEndpointRouteBuilder endpoints, string prefix = "/v1") =>
        throw new NotImplementedException();
}
