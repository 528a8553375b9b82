using System.Collections.Concurrent;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>One HTTP pipeline per upstream, made at its first use.</summary>
internal sealed class UpstreamClients(IHttpMessageHandlerFactory handlers)
{
    /// <summary>What the names of our pipelines begin with.</summary>
    public const string Prefix = "LlmProxy:";

    private readonly ConcurrentDictionary<Upstream, HttpMessageInvoker> _invokers = new();

    /// <summary>An invoker rather than a client: a client may buffer, and times out on its own.</summary>
    public HttpMessageInvoker For(Upstream upstream) =>
        _invokers.TryGetValue(upstream, out var known) ? known : _invokers.GetOrAdd(upstream, Create, handlers);

    private static HttpMessageInvoker Create(Upstream upstream, IHttpMessageHandlerFactory handlers) =>
        new UpstreamInvoker(handlers.CreateHandler(Prefix + upstream.Name));
}

/// <summary>Sends to one upstream.</summary>
internal sealed class UpstreamInvoker(HttpMessageHandler handler) : HttpMessageInvoker(handler, disposeHandler: false)
{
    /// <summary>What it is given reaches the connections as the same object: no handler of the app's stands between.</summary>
    public bool IsPlain { get; } = handler is SocketsHttpHandler
        || (handler is DelegatingHandler { InnerHandler: SocketsHttpHandler } && handler.GetType().Assembly == typeof(IHttpMessageHandlerFactory).Assembly);
}
