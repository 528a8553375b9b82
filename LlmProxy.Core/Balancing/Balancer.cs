using LlmProxy.Core.Authentication;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Balancing;

/// <summary>Which target now, and which after it? The front door of the sixth stage.</summary>
internal sealed class Balancer(LiveStates states, TimeProvider time)
{
    // Requests of these may carry what only one account can read.
    private const Operations Carrying = Operations.Responses | Operations.Chat | Operations.Messages | Operations.CountTokens;

    /// <returns>False if none of the route's targets may serve this request: not the operation, not with the caller's tags, or not at the upstream that it must be.</returns>
    public bool TrySelect(
        in RouteMatch match, Operations operation, Caller caller, in ReadRequest request, IHeaderDictionary headers, out Selection selection)
    {
        selection = Look(match, operation, caller, request, headers);
        return selection.Count > 0;
    }

    /// <summary>The request carries what only the account can read that made it.</summary>
    public static bool IsOfOneAccount(Operations operation, RequestBody body) =>
        (operation & Carrying) != 0 && AccountMarks.AreIn(body.Bytes, withReasoning: operation == Operations.Responses);

    /// <summary>The same, even if nobody may serve it: to be looked at.</summary>
    public Selection Look(in RouteMatch match, Operations operation, Caller caller, in ReadRequest request, IHeaderDictionary headers)
    {
        var pool = states.Of(match.Route);
        var isKept = pool.HasSeveralUpstreams && operation == Operations.Responses;
        var key = pool.Candidates.Length == 1 ? default : PickKey.Of(match.Route, isKept, operation, caller, request.Fields, headers);
        var selection = new Selection(pool, match, operation, caller, key, time);
        if (selection.Count > 0 && match.Keeper is null && selection.HasSeveralUpstreams && IsOfOneAccount(operation, request.Body))
        {
            selection.KeepToOneUpstream();
        }

        return selection;
    }
}
