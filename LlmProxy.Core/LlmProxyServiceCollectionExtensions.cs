using LlmProxy.Core.Forwarding;
using Microsoft.Extensions.DependencyInjection;

namespace LlmProxy.Core;

/// <summary>Changes what <c>AddLlmProxy</c> has registered.</summary>
public static class LlmProxyServiceCollectionExtensions
{
    /// <summary>
    /// Adds to the HTTP pipeline of one upstream: a handler that signs in with a cloud identity, say, or one that resists
    /// failures. The connection itself, its timeouts and what it refuses to follow stay LlmProxy's.
    /// </summary>
    /// <param name="services">The app's.</param>
    /// <param name="upstream">The upstream's name, exactly as configured.</param>
    /// <param name="configure">For example <c>http =&gt; http.AddHttpMessageHandler(…)</c>. A handler must not buffer answers.</param>
    public static IServiceCollection ConfigureUpstreamHttpClient(this IServiceCollection services, string upstream, Action<IHttpClientBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(upstream);
        ArgumentNullException.ThrowIfNull(configure);
        configure(services.AddHttpClient(UpstreamClients.Prefix + upstream));
        return services;
    }
}
