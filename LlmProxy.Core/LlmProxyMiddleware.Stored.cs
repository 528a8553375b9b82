using LlmProxy.Core.Authentication;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core;

/// <summary>Where requests lead: by their model, or back to the upstream that keeps what they are about.</summary>
internal sealed partial class LlmProxyMiddleware
{
    private Result<RouteMatch> Lead(EndpointMatch match, RequestFields fields, Caller caller, LlmProxySnapshot snapshot)
    {
        var endpoint = match.Endpoint!;
        if (endpoint.HasId)
        {
            return !StoredIds.IsPlain(match.Id) ? ProxyErrors.ResponseNotFound(DisplayText.Name(match.Id))
                : stored.Find(match.Id, caller).TryGet(out var origin, out var error) ? snapshot.Routes.ResolveStored(match.Id, origin, endpoint.Operation, caller)
                : error;
        }

        var route = snapshot.Routes.Resolve(fields.Model, caller, snapshot.Options.RevealForbiddenModels);
        return endpoint.IsStored && route.Error is null ? LeadBack(route.Value, fields, caller) : route;
    }

    /// <summary>What goes on from a response or belongs to a conversation is for the upstream that has it; if nobody knows which that is, for any.</summary>
    private Result<RouteMatch> LeadBack(in RouteMatch route, RequestFields fields, Caller caller)
    {
        var keeper = route.Keeper;
        foreach (var (id, param) in (ReadOnlySpan<(string?, string)>)[(fields.Conversation, "conversation"), (fields.PreviousResponse, "previous_response_id")])
        {
            if (id is not null)
            {
                if (!stored.Find(id, caller, param).TryGet(out var origin, out var error))
                {
                    return error;
                }

                keeper = origin?.Upstream ?? keeper;
            }
        }

        return route with { Keeper = keeper };
    }

    private static ProxyError NoTarget(EndpointMatch match, RequestFields fields, in RouteMatch route, Caller caller, LlmProxySnapshot snapshot)
    {
        var endpoint = match.Endpoint!;
        var model = DisplayText.Name(fields.Model);
        return !route.Route.IsOpenTo(caller.UpstreamTags) ? snapshot.Routes.Forbidden(fields.Model, caller, snapshot.Options.RevealForbiddenModels)
            : route.Keeper is null ? ProxyErrors.UnsupportedOperation(model, endpoint.Name, snapshot.Routes.OtherFor(endpoint.Operation, caller))
            : endpoint.HasId ? ProxyErrors.ResponseNotFound(match.Id)
            : fields.PreviousResponse is { } previous ? ProxyErrors.ResponseElsewhere(previous, model, "previous_response_id")
            : ProxyErrors.ResponseElsewhere(fields.Conversation!, model, "conversation");
    }

    /// <summary>At the commit, not at the end: a client may ask for a response as soon as it knows its id.</summary>
    private void Remember(ForwardRequest forward, Caller caller, Target target, UpstreamAnswer answer)
    {
        if (!forward.Endpoint.IsStored)
        {
            return;
        }

        var origin = new StoredOrigin(caller.Id, forward.Route.Asked, target.Upstream.Name);
        if (answer.StoredId is { } id)
        {
            stored.Remember(id, origin);
        }

        if (forward.Fields.Conversation is { } conversation)
        {
            stored.Remember(conversation, origin);
        }
    }
}
