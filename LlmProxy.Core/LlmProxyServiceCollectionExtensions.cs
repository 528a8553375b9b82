using LlmProxy.Core.Authentication;
using LlmProxy.Core.Forwarding;
using Microsoft.Extensions.DependencyInjection;

namespace LlmProxy.Core;

/// <summary>Adds to or changes what <c>AddLlmProxy</c> has registered.</summary>
public static class LlmProxyServiceCollectionExtensions
{
    /// <summary>
    /// Keeps what was read last of the <see cref="IKeyStore"/> in a file, by which an app that starts while its store is away knows
    /// its keys. It holds their hashes and settings; only the process's own user can read it.
    /// </summary>
    /// <param name="services">The app's.</param>
    /// <param name="file">A path; its directory must exist.</param>
    public static IServiceCollection AddLlmProxyKeySnapshot(this IServiceCollection services, string file)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(file);
        return services.AddSingleton(new KeySnapshotFile(Path.GetFullPath(file)));
    }

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
