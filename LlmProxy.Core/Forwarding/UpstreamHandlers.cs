using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Routing;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Http.Logging;
using Microsoft.Extensions.Options;

namespace LlmProxy.Core.Forwarding;

/// <summary>
/// Makes the HTTP handlers of upstreams. Configured for every name with our prefix at once, so that upstreams that appear
/// later are treated alike, and no other client of the application is touched.
/// </summary>
/// <param name="configured">
/// The options of a name; what an app adds for an upstream counts for each of its pipelines, under whatever name a reload makes it.
/// </param>
internal sealed class UpstreamHandlers(Func<string, HttpClientFactoryOptions> configured)
    : IConfigureNamedOptions<HttpClientFactoryOptions>, IHttpMessageHandlerBuilderFilter, IDisposable
{
    private readonly ConcurrentDictionary<string, Upstream> _upstreams = new(StringComparer.Ordinal);

    // The factory never disposes a handler without a lifetime; who makes them closes their connections.
    private readonly ConcurrentDictionary<string, SocketsHttpHandler> _made = new(StringComparer.Ordinal);

    /// <summary>Pipelines of this upstream may be made from here on.</summary>
    public void Announce(Upstream upstream) => _upstreams[UpstreamClients.Prefix + upstream.ClientName] = upstream;

    /// <summary>Closes the connections of an upstream that nobody uses any more.</summary>
    public void Close(Upstream upstream)
    {
        var name = UpstreamClients.Prefix + upstream.ClientName;
        _upstreams.TryRemove(name, out _);
        if (_made.TryRemove(name, out var handler))
        {
            handler.Dispose();
        }
    }

    public void Configure(HttpClientFactoryOptions options)
    {
        // Only named clients are ours.
    }

    public void Configure(string? name, HttpClientFactoryOptions options)
    {
        if (name is null || !name.StartsWith(UpstreamClients.Prefix, StringComparison.Ordinal))
        {
            return;
        }

        options.SuppressHandlerScope = true;
        options.HandlerLifetime = Timeout.InfiniteTimeSpan;
        options.HttpMessageHandlerBuilderActions.Insert(0, MakePrimary);
        if (name.LastIndexOf(Upstream.GenerationMark) is > 0 and var mark)
        {
            foreach (var added in configured(name[..mark]).HttpMessageHandlerBuilderActions.Where(a => a != (Action<HttpMessageHandlerBuilder>)MakePrimary))
            {
                options.HttpMessageHandlerBuilderActions.Add(added);
            }
        }
    }

    // The factory's logging handlers cost two log scopes per request and put addresses into an app's logs.
    public Action<HttpMessageHandlerBuilder> Configure(Action<HttpMessageHandlerBuilder> next) => builder =>
    {
        next(builder);
        if (builder.Name?.StartsWith(UpstreamClients.Prefix, StringComparison.Ordinal) == true)
        {
            foreach (var handler in builder.AdditionalHandlers.Where(h => h is LoggingHttpMessageHandler or LoggingScopeHttpMessageHandler).ToArray())
            {
                builder.AdditionalHandlers.Remove(handler);
            }
        }
    };

    public void Dispose()
    {
        foreach (var handler in _made.Values)
        {
            handler.Dispose();
        }
    }

    /// <summary>The connections of one upstream, with all that its options say of them.</summary>
    public static SocketsHttpHandler Create(Upstream upstream)
    {
        var connect = upstream.Timeouts.Connect;
        var proxy = EgressProxy.Create(upstream.Options.Proxy, upstream.Address);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            UseProxy = proxy is not null,
            Proxy = proxy,
            ConnectTimeout = connect > TimeSpan.Zero ? connect : Timeout.InfiniteTimeSpan,
            ConnectCallback = new UpstreamConnector(upstream.Options.AllowLinkLocal).ConnectAsync,
            // Over HTTP/2 the client itself sends again what the upstream says it has not looked at.
            PlaintextStreamFilter = static (context, _) =>
                new(context.NegotiatedHttpVersion.Major == 1 ? new UpstreamConnection(context.PlaintextStream) : context.PlaintextStream),
            // A changed address is used within two minutes.
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
            PooledConnectionIdleTimeout = IdleTimeout(upstream.Options.Kind),
            EnableMultipleHttp2Connections = true,
            // After a stream's end mark the rest is drained so that its connection can be used again, within bounds.
            ResponseDrainTimeout = TimeSpan.FromSeconds(1),
            MaxResponseDrainSize = 64 * 1024,
        };
        if (upstream.Authorities is { } authorities)
        {
            handler.SslOptions.CertificateChainPolicy = TrustOnly(authorities);
        }

        return handler;
    }

    private void MakePrimary(HttpMessageHandlerBuilder builder)
    {
        var name = builder.Name!;
        var handler = Create(_upstreams.GetValueOrDefault(name) ?? throw new InvalidOperationException($"There is no upstream for the HTTP client \"{name}\"."));
        _made[name] = handler;
        builder.PrimaryHandler = handler;
    }

    // The name is checked beside the chain, whatever the chain's policy. Nothing is fetched to complete a chain: what an
    // unknown server sends would say from where.
    private static X509ChainPolicy TrustOnly(X509Certificate2Collection authorities)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
            VerificationTimeIgnored = true,
        };
        policy.CustomTrustStore.AddRange(authorities);
        return policy;
    }

    // Below the upstream's keep-alive, or a request meets a connection that is just being closed: uvicorn, under vLLM and
    // many others, keeps one for 5 s.
    private static TimeSpan IdleTimeout(UpstreamKind kind) =>
        kind is UpstreamKind.OpenAI or UpstreamKind.AzureOpenAI ? TimeSpan.FromSeconds(55) : TimeSpan.FromSeconds(4);
}
