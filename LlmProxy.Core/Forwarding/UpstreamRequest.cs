using LlmProxy.Core.Balancing;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;
using Endpoint = LlmProxy.Core.Endpoints.Endpoint;

namespace LlmProxy.Core.Forwarding;

/// <summary>What a client asks for, as every attempt needs it.</summary>
/// <param name="Endpoint">The operation.</param>
/// <param name="Id">Of what is asked for, where the operation names it in its path; else empty.</param>
/// <param name="Query">What of the client's query goes up, escaped, with its question mark; may be empty.</param>
/// <param name="Selection">Where the model leads, and whom to ask there.</param>
/// <param name="Fields">What the body asks for.</param>
/// <param name="Body">The body as it came.</param>
/// <param name="Headers">The client's headers; an allow-list of them goes up.</param>
/// <param name="TraceParent">The trace to go on with; null if tracing is off.</param>
/// <param name="TraceState">What belongs to it.</param>
internal sealed record ForwardRequest(
    Endpoint Endpoint, string Id, string Query, Selection Selection, RequestFields Fields, RequestBody Body, IHeaderDictionary Headers, string? TraceParent, string? TraceState)
{
    /// <summary>What the body asks for; nothing once that is forgotten.</summary>
    public RequestFields Fields { get; private set; } = Fields;

    /// <summary>Whom to ask. A field, because it is no value: each choice changes it.</summary>
    public Selection Selection = Selection;

    /// <summary>Where the model leads.</summary>
    public RouteMatch Route => Selection.Match;

    /// <summary>Which of the client's headers may matter.</summary>
    public ClientHeaders Seen { get; init; } = ClientHeaders.Unknown;

    public bool WantsStream { get; } = Endpoint.CanStream && Fields.Stream;

    /// <summary>The client asks for usage in its stream.</summary>
    public bool IncludesUsage { get; } = Fields.IncludesUsage;

    /// <summary>How many choices are asked for, from 1.</summary>
    public int Choices { get; } = Fields.Choices;

    /// <summary>Somebody counts what it uses, and its client did not ask for that.</summary>
    public bool WantsUsage { get; init; }

    /// <summary>Is that upstream asked for usage in the client's place?</summary>
    public bool AsksForUsage(Upstream upstream) =>
        WantsUsage && WantsStream && !IncludesUsage && Endpoint.Dialect.AsksForUsage && upstream.Options.IncludeUsage;

    /// <summary>It is about something that the upstream keeps: that this is not found says nothing about the model.</summary>
    public bool NamesStored { get; } = Endpoint.HasId || (Endpoint.IsStored && (Fields.PreviousResponse ?? Fields.Conversation) is not null);

    /// <summary>Asks for events that are held; null where they are held until the commit.</summary>
    public HeldEvents? Held { get; } = Endpoint.CanStream && Fields.Stream && Endpoint.Dialect.ReleasesHeldEvents ? new HeldEvents() : null;

    /// <summary>
    /// Nobody builds a request of them any more. Where a call is shared, its copy of the request keeps the same fields while it lasts, but for
    /// their places in the body.
    /// </summary>
    public void ForgetFields()
    {
        if (ReferenceEquals(Fields, RequestFields.Gone))
        {
            return;
        }

        Fields.ForgetPlaces();
        Fields = RequestFields.Gone;
    }

    /// <summary>Past the commit no stream keeps its request: lets go of what only another attempt would need.</summary>
    public void Forget(UpstreamAnswer answer)
    {
        if (answer.Kind == AnswerKind.Json)
        {
            // It is over in a moment.
            return;
        }

        ForgetFields();
        if (Body.IsGivenBack)
        {
            answer.ForgetRequest(Body);
        }
    }
}

/// <summary>Builds the request that one attempt sends. Nothing of another attempt is in it.</summary>
internal static class UpstreamRequest
{
    /// <param name="request">What the client asks for.</param>
    /// <param name="target">Who is asked.</param>
    /// <param name="parts">The body with its changes for that target.</param>
    /// <param name="loops">Says that it has been here.</param>
    public static AttemptMessage Build(ForwardRequest request, Target target, BodyPart[] parts, LoopGuard loops)
    {
        var upstream = target.Upstream;
        var message = request.Endpoint.IsBodyless ? new AttemptMessage() : AttemptMessage.Take();
        message.Method = HttpMethod.Parse(request.Endpoint.Method);
        message.RequestUri = target.AddressOf(request.Endpoint, request.Id, request.Query, request.Route.Star);
        message.Version = upstream.Options.HttpVersion;
        message.VersionPolicy = upstream.Options.HttpVersion.Major == 1 ? HttpVersionPolicy.RequestVersionOrLower : HttpVersionPolicy.RequestVersionExact;
        if (!request.Endpoint.IsBodyless)
        {
            message.Put(request.Body, parts);
        }

        PutHeaders(message, request, upstream, loops);
        return message;
    }

    private static void PutHeaders(AttemptMessage message, ForwardRequest request, Upstream upstream, LoopGuard loops)
    {
        var route = request.Route.Route;
        var hasOwn = (request.Seen & (ClientHeaders.Passing | ClientHeaders.Via)) != 0 || request.TraceParent is not null;
        if (!hasOwn && message.HasHeadersOf(upstream, route))
        {
            return;
        }

        if (hasOwn)
        {
            message.BeginOwnHeaders();
        }
        else
        {
            message.BeginHeadersOf(upstream, route);
        }

        if ((request.Seen & ClientHeaders.Passing) != 0)
        {
            Pass(message, request.Headers);
        }

        Put(message, upstream.Headers);
        Put(message, route.Headers);
        if (request.TraceParent is not null)
        {
            message.Headers.TryAddWithoutValidation("traceparent", request.TraceParent);
            if (request.TraceState is not null)
            {
                message.Headers.TryAddWithoutValidation("tracestate", request.TraceState);
            }
        }

        SignIn(message, upstream, mayHaveKey: upstream.Headers.Length + route.Headers.Length > 0);
        message.Headers.TryAddWithoutValidation(LoopGuard.Header, (request.Seen & ClientHeaders.Via) != 0 ? loops.Next(request.Headers) : loops.Instance);
    }

    private static void Pass(HttpRequestMessage message, IHeaderDictionary headers)
    {
        foreach (var (name, values) in headers)
        {
            // Some clients write a list, such as anthropic-beta, as several headers.
            if (ForwardedHeaders.GoesUp(name) && values.ToString() is var value && ForwardedHeaders.IsSafe(value))
            {
                message.Headers.TryAddWithoutValidation(name, value);
            }
        }
    }

    /// <summary>Adds the headers of the kind and those that sign us in.</summary>
    /// <param name="message">The request.</param>
    /// <param name="upstream">Whose.</param>
    /// <param name="mayHaveKey">Headers were configured, and one of them may be the key's.</param>
    public static void SignIn(HttpRequestMessage message, Upstream upstream, bool mayHaveKey = true)
    {
        foreach (var (name, value) in upstream.KindHeaders)
        {
            if (!message.Headers.NonValidated.Contains(name))
            {
                message.Headers.TryAddWithoutValidation(name, value);
            }
        }

        if (upstream.Key is { } key)
        {
            // Not beside one that was configured as a header: two keys are none.
            if (mayHaveKey)
            {
                message.Headers.Remove(key.Key);
            }

            message.Headers.TryAddWithoutValidation(key.Key, key.Value);
        }
    }

    /// <summary>Puts configured headers in the place of what is there.</summary>
    public static void Put(HttpRequestMessage message, KeyValuePair<string, string>[] configured)
    {
        foreach (var (name, value) in configured)
        {
            message.Headers.Remove(name);
            message.Headers.TryAddWithoutValidation(name, value);
        }
    }
}
