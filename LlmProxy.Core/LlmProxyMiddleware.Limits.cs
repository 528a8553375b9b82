using LlmProxy.Core.Accounting;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;
using Endpoint = LlmProxy.Core.Endpoints.Endpoint;

namespace LlmProxy.Core;

/// <summary>Whose limits a request has to pass, what it sets aside of them, and what becomes of that.</summary>
internal sealed partial class LlmProxyMiddleware
{
    /// <summary>Who calls, if they may call that.</summary>
    private Result<Caller> Identify(HttpContext http, ClientHeaders seen, Endpoint endpoint, LlmProxySnapshot snapshot, Exchange exchange, out KeyHold key)
    {
        (exchange.Operation, exchange.GenAiOperation) = (endpoint.Name, endpoint.GenAiName);

        // Before it is looked for: what changes from now on is seen to have changed.
        var state = snapshot.KeyState;
        var found = Authenticator.Authenticate(http, seen, snapshot.Keys, time, failures, out var secret);
        key = new KeyHold(secret, found.Value?.Expires, state);
        if (!found.TryGet(out var caller, out _))
        {
            return found;
        }

        exchange.Key = caller;
        return endpoint.IsLocal || (caller.Operations & endpoint.Operation) != 0 ? found : ProxyErrors.OperationNotAllowed(endpoint.Name);
    }

    private ValueTask<ProxyError?> AdmitAsync(
        HttpContext http, Endpoint endpoint, Caller caller, in ReadRequest request, in RouteMatch route, LlmProxySnapshot snapshot, Exchange exchange)
    {
        var refused = Admit(http, endpoint, caller, request, route, snapshot, exchange, out var mayAsk);
        return mayAsk ? AskAndAdmitAsync(http, endpoint, caller, request, route, snapshot, exchange) : new(refused);
    }

    /// <summary>Other replicas may have what is missing here: the request waits for that a moment, once.</summary>
    private async ValueTask<ProxyError?> AskAndAdmitAsync(
        HttpContext http, Endpoint endpoint, Caller caller, ReadRequest request, RouteMatch route, LlmProxySnapshot snapshot, Exchange exchange)
    {
        await admitter.AskAsync(http.RequestAborted);
        return Admit(http, endpoint, caller, request, route, snapshot, exchange, out _);
    }

    /// <param name="http">The request.</param>
    /// <param name="endpoint">What it asks for.</param>
    /// <param name="caller">Whose limits it has to pass.</param>
    /// <param name="request">What it says of its length.</param>
    /// <param name="route">Where it may go.</param>
    /// <param name="snapshot">The configuration.</param>
    /// <param name="exchange">Keeps what was set aside.</param>
    /// <param name="mayAsk">It may be worth while to ask other replicas and try again.</param>
    /// <returns>Which limit stops it; null if it may run.</returns>
    private ProxyError? Admit(HttpContext http, Endpoint endpoint, Caller caller, in ReadRequest request, in RouteMatch route, LlmProxySnapshot snapshot, Exchange exchange, out bool mayAsk)
    {
        mayAsk = false;
        if (accountant.RefusesNew)
        {
            return ProxyErrors.InsufficientStorage;
        }

        var refused = admitter.Reserve(caller, endpoint, route, request, http.Request.Headers, snapshot.Options.UnpricedModels, ref exchange.Lease, out mayAsk);
        if (refused is not null)
        {
            exchange.IsRefused = true;
            exchange.Rates = admitter.RatesOf(caller, http.Request.Headers);
            return refused;
        }

        // From here on it has a row in the ledger, whatever becomes of it.
        exchange.IsRefused = false;
        exchange.IsAdmitted = true;
        exchange.IsGenerated = Estimate.IsCharged(endpoint);
        exchange.HasText = exchange.IsGenerated && endpoint.Operation != Operations.Embeddings;
        exchange.PromptTokens = exchange.Lease.PromptEstimate;
        return null;
    }

    // Anthropic's clients, who look for the request id under another name, look for a time as well.
    private DateTimeOffset? NowFor(Dialect dialect) => dialect.RequestIdHeader is null ? null : time.GetUtcNow();
}
