using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;
using Endpoint = LlmProxy.Core.Endpoints.Endpoint;

namespace LlmProxy.Core.Forwarding;

/// <summary>What a client asks for, as every attempt needs it.</summary>
/// <param name="Endpoint">The operation.</param>
/// <param name="Route">Where the model leads.</param>
/// <param name="Fields">What the body asks for.</param>
/// <param name="Body">The body as it came.</param>
/// <param name="Headers">The client's headers; an allow-list of them goes up.</param>
/// <param name="TraceParent">The trace to go on with; null if tracing is off.</param>
/// <param name="TraceState">What belongs to it.</param>
internal sealed record ForwardRequest(
    Endpoint Endpoint, RouteMatch Route, RequestFields Fields, RequestBody Body, IHeaderDictionary Headers, string? TraceParent, string? TraceState)
{
    public bool WantsStream => Endpoint.CanStream && Fields.Stream;
}

/// <summary>Builds the request that one attempt sends. Nothing of another attempt is in it.</summary>
internal static class UpstreamRequest
{
    public static HttpRequestMessage Build(ForwardRequest request, Target target, List<BodyPart> parts)
    {
        var upstream = target.Upstream;
        var message = new HttpRequestMessage(HttpMethod.Post, upstream.AddressOf(request.Endpoint))
        {
            Content = new RequestContent(request.Body, parts),
            Version = upstream.Options.HttpVersion,
            VersionPolicy = upstream.Options.HttpVersion.Major == 1 ? HttpVersionPolicy.RequestVersionOrLower : HttpVersionPolicy.RequestVersionExact,
        };
        foreach (var (name, values) in request.Headers)
        {
            if (ForwardedHeaders.GoesUp(name) && values.Count > 0 && ForwardedHeaders.IsSafe(values[0]))
            {
                message.Headers.TryAddWithoutValidation(name, values[0]);
            }
        }

        Put(message, upstream.Options.Headers);
        Put(message, request.Route.Route.Headers);
        if (request.TraceParent is not null)
        {
            message.Headers.TryAddWithoutValidation("traceparent", request.TraceParent);
            if (request.TraceState is not null)
            {
                message.Headers.TryAddWithoutValidation("tracestate", request.TraceState);
            }
        }

        if (upstream.Authorization is not null)
        {
            message.Headers.TryAddWithoutValidation("Authorization", upstream.Authorization);
        }

        return message;
    }

    private static void Put(HttpRequestMessage message, IEnumerable<KeyValuePair<string, string>> configured)
    {
        foreach (var (name, value) in configured)
        {
            message.Headers.Remove(name);
            message.Headers.TryAddWithoutValidation(name, value);
        }
    }
}
