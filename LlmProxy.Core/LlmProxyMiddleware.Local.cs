using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core;

/// <summary>Answers that involve no upstream: the caller's models, and its key.</summary>
internal sealed partial class LlmProxyMiddleware
{
    private ValueTask<ProxyError?> AnswerLocallyAsync(HttpContext http, EndpointMatch match, Caller caller, LlmProxySnapshot snapshot, Exchange exchange) =>
        match.Endpoint!.Operation == Operations.Key
            ? ShowKeyAsync(http, match, caller, snapshot, exchange)
            : ListModelsAsync(http, match, caller, snapshot, exchange);

    private async ValueTask<ProxyError?> ShowKeyAsync(HttpContext http, EndpointMatch match, Caller caller, LlmProxySnapshot snapshot, Exchange exchange)
    {
        var headers = new ResponseHeaders(exchange.Id, exchange.ClientId) { RequestIdHeader = match.Dialect.RequestIdHeader };
        var names = snapshot.Routes.Names.Where(name => snapshot.Routes.TryResolve(name, caller, out var found) && found.Route.IsOpenTo(caller.UpstreamTags));
        var operations = EndpointTable.Rows.Where(row => !row.IsLocal && (row.Operation & caller.Operations) != 0).Select(static row => row.Name).Distinct();
        var limits = admitter.StatesOf(caller, http.Request.Headers).Select(static state =>
        {
            var limit = LlmProxyLimits.Of(state);
            return new OwnLimit(limit.Meter[..limit.Meter.IndexOf('/', StringComparison.Ordinal)], limit.Of, limit.Window, limit.Limit, limit.Used, limit.Left, limit.Resets);
        });
        exchange.ResponseBytes = await new OwnKey(caller, names, operations, limits).WriteAsync(http, headers);
        exchange.Status = StatusCodes.Status200OK;
        return null;
    }

    private static async ValueTask<ProxyError?> ListModelsAsync(HttpContext http, EndpointMatch match, Caller caller, LlmProxySnapshot snapshot, Exchange exchange)
    {
        var headers = new ResponseHeaders(exchange.Id, exchange.ClientId) { RequestIdHeader = match.Dialect.RequestIdHeader };
        if (!match.Endpoint!.HasId)
        {
            exchange.ResponseBytes = await ModelList.WriteAllAsync(http, match.Dialect, [.. snapshot.Routes.NamesFor(caller)], headers);
        }
        else
        {
            // A slash in an id may have been written as %2F, which the server leaves as it is.
            var name = Uri.UnescapeDataString(match.Id);
            exchange.Model = DisplayText.Name(name);
            if (!snapshot.Routes.Resolve(name, caller, snapshot.Options.RevealForbiddenModels).TryGet(out var route, out var error))
            {
                return error;
            }

            if (!route.Route.IsOpenTo(caller.UpstreamTags))
            {
                return snapshot.Routes.Forbidden(name, caller, snapshot.Options.RevealForbiddenModels);
            }

            exchange.Route = route.Route.Name;
            exchange.ResponseBytes = await ModelList.WriteOneAsync(http, match.Dialect, name, headers);
        }

        exchange.Status = StatusCodes.Status200OK;
        return null;
    }
}
