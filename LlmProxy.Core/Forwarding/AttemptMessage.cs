using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>A request that knows whose it is.</summary>
/// <remarks>
/// With its content, its headers and what holds them it is 700 bytes, and most of it is the same for each request to a target. One that nobody can hold any
/// more (<see cref="Attempt.EndMessage"/>) serves the next of its thread: all that is of one request is put in anew. Headers that are a client's are
/// not kept; those of a route to an upstream are, until the next request of another, even where a reload has replaced both.
/// </remarks>
internal sealed class AttemptMessage : HttpRequestMessage
{
    [ThreadStatic]
    internal static Spares<AttemptMessage> Kept;

    private Upstream? _upstream;
    private Route? _route;

    public Attempt? Attempt { get; set; }

    /// <summary>One with nothing in it but headers: see <see cref="HasHeadersOf"/>.</summary>
    public static AttemptMessage Take() => Kept.Take() ?? new AttemptMessage();

    /// <summary>Puts in what is sent.</summary>
    public void Put(RequestBody body, BodyPart[] parts)
    {
        if (Content is RequestContent content)
        {
            content.Put(body, parts);
        }
        else
        {
            Content = new RequestContent(body, parts);
        }
    }

    /// <summary>Its headers are those that each request of this route to this upstream has, and no others.</summary>
    public bool HasHeadersOf(Upstream upstream, Route route) => ReferenceEquals(_upstream, upstream) && ReferenceEquals(_route, route);

    /// <summary>Such headers are put in, in the place of others.</summary>
    public void BeginHeadersOf(Upstream upstream, Route route)
    {
        Headers.Clear();
        (_upstream, _route) = (upstream, route);
    }

    /// <summary>Headers are put in, in the place of others, of which some are one request's alone.</summary>
    public void BeginOwnHeaders()
    {
        Headers.Clear();
        (_upstream, _route) = (null, null);
    }

    /// <summary>Nobody else holds it.</summary>
    public void GiveBack()
    {
        Attempt = null;
        if (Content is not RequestContent { IsSent: true } content)
        {
            return;
        }

        if (_upstream is null)
        {
            Headers.Clear();
        }

        content.Clear();
        RequestUri = null;
        Kept.Give(this);
    }
}
