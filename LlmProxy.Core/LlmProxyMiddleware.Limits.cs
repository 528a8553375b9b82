using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;
using Endpoint = LlmProxy.Core.Endpoints.Endpoint;

namespace LlmProxy.Core;

/// <summary>Whose limits a request has to pass, what it sets aside of them, and what becomes of that.</summary>
internal sealed partial class LlmProxyMiddleware
{
    private static void Note(Exchange exchange, Endpoint endpoint) => (exchange.Operation, exchange.GenAiOperation) = (endpoint.Name, endpoint.GenAiName);

    private static void Note(Exchange exchange, Caller caller) => (exchange.Caller, exchange.Group) = (caller.Id, caller.Group);

    private static void Note(Exchange exchange, in RouteMatch route)
    {
        exchange.Route = route.Route.Name;
        exchange.Model ??= route.Asked.Length > 0 ? DisplayText.Name(route.Asked) : null;
    }

    /// <returns>Which limit stops it; null if it may run.</returns>
    private ProxyError? Admit(HttpContext http, Endpoint endpoint, Caller caller, in ReadRequest request, in RouteMatch route, LlmProxySnapshot snapshot, Exchange exchange)
    {
        var refused = admitter.Reserve(caller, endpoint, route, request, http.Request.Headers, snapshot.Options.UnpricedModels, ref exchange.Lease);
        if (refused is not null)
        {
            exchange.Rates = admitter.RatesOf(caller, http.Request.Headers);
        }

        return refused;
    }

    // Anthropic's clients, who look for the request id under another name, look for a time as well.
    private DateTimeOffset? NowFor(Dialect dialect) => dialect.RequestIdHeader is null ? null : time.GetUtcNow();

    /// <summary>Before the end of an answer goes out: what was used takes the place of what was set aside.</summary>
    private static void Settle(Exchange exchange, RelayOutcome outcome)
    {
        if (exchange.CoalescedWith is not null)
        {
            // Who began the call pays for it.
            exchange.Lease.Settle(0, 0);
            return;
        }

        var usage = outcome.Usage;
        exchange.Lease.Settle(usage.IsKnown ? Math.Max(0, usage.Input) + Math.Max(0, usage.Output) : exchange.Lease.PromptEstimate + outcome.Events, null);
        if (outcome.Error is null)
        {
            exchange.Lease.Learn(usage);
        }
    }
}
