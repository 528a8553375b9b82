using LlmProxy.Core.Authentication;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Balancing;

/// <summary>Which target now, and which after it? The front door of the sixth stage.</summary>
internal sealed class Balancer(LiveStates states, TimeProvider time)
{
    /// <returns>Null if none of the route's targets may serve this request: not the operation, not with the caller's tags, or not at the upstream that it must be.</returns>
    public Selection? Select(in RouteMatch match, Operations operation, Caller caller, RequestFields fields, IHeaderDictionary headers)
    {
        var selection = Look(match, operation, caller, fields, headers);
        return selection.Count > 0 ? selection : null;
    }

    /// <summary>The same, even if nobody may serve it: to be looked at.</summary>
    public Selection Look(in RouteMatch match, Operations operation, Caller caller, RequestFields fields, IHeaderDictionary headers)
    {
        _ = (fields, headers);
        return new Selection(states.Of(match.Route), match, operation, caller, default, time);
    }
}
