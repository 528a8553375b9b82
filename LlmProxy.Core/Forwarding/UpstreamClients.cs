using System.Collections.Concurrent;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>One HTTP pipeline per upstream, made at its first use and kept for as long as a generation of the configuration has the upstream.</summary>
internal sealed class UpstreamClients(IHttpMessageHandlerFactory factory, UpstreamHandlers handlers)
{
    /// <summary>What the names of our pipelines begin with.</summary>
    public const string Prefix = "LlmProxy:";

    private readonly ConcurrentDictionary<Upstream, HttpMessageInvoker> _invokers = new();
    private readonly Dictionary<Upstream, int> _generations = [];
    private readonly Lock _lock = new();

    /// <summary>An invoker rather than a client: a client may buffer, and times out on its own.</summary>
    public HttpMessageInvoker For(Upstream upstream) =>
        _invokers.TryGetValue(upstream, out var known) ? known : _invokers.GetOrAdd(upstream, Create);

    /// <summary>A generation has these upstreams. Those of the one before, if they are the same objects, keep their connections.</summary>
    public void Retain(IEnumerable<Upstream> upstreams)
    {
        lock (_lock)
        {
            foreach (var upstream in upstreams)
            {
                handlers.Announce(upstream);
                _generations[upstream] = _generations.GetValueOrDefault(upstream) + 1;
            }
        }
    }

    /// <summary>A generation has ended and so has its last request: upstreams that no other has are closed.</summary>
    public void Release(IEnumerable<Upstream> upstreams)
    {
        lock (_lock)
        {
            foreach (var upstream in upstreams)
            {
                var left = _generations[upstream] - 1;
                if (left > 0)
                {
                    _generations[upstream] = left;
                    continue;
                }

                _generations.Remove(upstream);
                if (_invokers.TryRemove(upstream, out var invoker))
                {
                    invoker.Dispose();
                }

                handlers.Close(upstream);
            }
        }
    }

    private HttpMessageInvoker Create(Upstream upstream)
    {
        handlers.Announce(upstream);
        return new UpstreamInvoker(factory.CreateHandler(Prefix + upstream.ClientName));
    }
}

/// <summary>Sends to one upstream.</summary>
internal sealed class UpstreamInvoker(HttpMessageHandler handler) : HttpMessageInvoker(handler, disposeHandler: false)
{
    /// <summary>What it is given reaches the connections as the same object: no handler of the app's stands between.</summary>
    public bool IsPlain { get; } = handler is SocketsHttpHandler
        || (handler is DelegatingHandler { InnerHandler: SocketsHttpHandler } && handler.GetType().Assembly == typeof(IHttpMessageHandlerFactory).Assembly);

    /// <summary>
    /// What it is given is sent once and as it is: nothing makes the connections' own handler send it elsewhere, once more or with headers of its own. An
    /// app may have changed that one.
    /// </summary>
    public bool SendsOnce { get; } = ((handler as DelegatingHandler)?.InnerHandler ?? handler) is SocketsHttpHandler
    {
        AllowAutoRedirect: false, UseCookies: false, UseProxy: false, PreAuthenticate: false, Credentials: null, ActivityHeadersPropagator: null,
    };
}
