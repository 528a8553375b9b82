using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>A request that knows whose it is.</summary>
/// <remarks>
/// With its content, its headers and what holds them it is 700 bytes, and most of it is the same for each request to a target. One that nobody can hold any
/// more (<see cref="Attempt.EndMessage"/>) serves the next of its thread: all that is of one request is put in anew, and headers that are not the
/// target's alone never stay.
/// </remarks>
internal sealed class AttemptMessage : HttpRequestMessage
{
    private Upstream? _upstream;
    private Route? _route;

    public AttemptMessage()
    {
    }

    public AttemptMessage(HttpMethod method, Uri address)
        : base(method, address)
    {
    }

    public Attempt? Attempt { get; set; }

    /// <summary>One with nothing in it but headers: see <see cref="HasHeadersOf"/>.</summary>
    public static AttemptMessage Take() => Spares<AttemptMessage>.Take() ?? new AttemptMessage();

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

    /// <summary>Its headers are those that each request of this route to this upstream has, and no others. Else it has none.</summary>
    public bool HasHeadersOf(Upstream upstream, Route route)
    {
        if (ReferenceEquals(_upstream, upstream) && ReferenceEquals(_route, route))
        {
            return true;
        }

        Headers.Clear();
        return false;
    }

    /// <summary>They have been put in.</summary>
    public void NoteHeadersOf(Upstream upstream, Route route) => (_upstream, _route) = (upstream, route);

    /// <summary>Headers of one request are put in: they go with it.</summary>
    public void NoteOwnHeaders() => (_upstream, _route) = (null, null);

    /// <summary>Nobody else holds it.</summary>
    public void GiveBack()
    {
        Attempt = null;
        if (Content is RequestContent { IsSent: true } content)
        {
            content.Clear();
            RequestUri = null;
            Spares<AttemptMessage>.Give(this);
        }
    }
}
