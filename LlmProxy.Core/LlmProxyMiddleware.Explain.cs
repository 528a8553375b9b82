using System.Buffers;
using System.Text.Json;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using LlmProxy.Core.Requests;
using LlmProxy.Core.Routing;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core;

/// <summary>Requests that are explained instead of sent: they go the same way as far as the choice of a target.</summary>
internal sealed partial class LlmProxyMiddleware
{
    /// <summary>See <see cref="LlmProxyExplainer.ExplainAsync"/>.</summary>
    public async Task ExplainAsync(HttpContext http, string path, string key)
    {
        var snapshot = snapshots.Current;
        var match = EndpointTable.Match(http.Request, path.StartsWith("/v1/", StringComparison.Ordinal) ? path["/v1".Length..] : path, path);
        var headers = new ResponseHeaders(RequestIds.Create(time.GetUtcNow()), null) { RequestIdHeader = match.Dialect.RequestIdHeader };
        var error = match.Error
            ?? (snapshot.Keys.FindById(key) is { } caller ? await ExplainAsync(http, match, caller, snapshot, headers) : ProxyErrors.UnknownKey(DisplayText.Name(key)));
        if (error is not null)
        {
            await ErrorReply.WriteAsync(http, match.Dialect, error, snapshot.Options.Contact, headers);
        }
    }

    private async ValueTask<ProxyError?> ExplainAsync(HttpContext http, EndpointMatch match, Caller caller, LlmProxySnapshot snapshot, ResponseHeaders headers)
    {
        using var clock = new ExchangeClock(wheel, http.RequestAborted);
        if (!(await ReadAsync(http.Request, match, caller, snapshot, clock)).TryGet(out var request, out var error))
        {
            return error;
        }

        try
        {
            if ((caller.Operations & match.Endpoint!.Operation) == 0)
            {
                return ProxyErrors.OperationNotAllowed(match.Endpoint.Name);
            }

            if (!Lead(match, request.Fields, caller, snapshot).TryGet(out var route, out error))
            {
                return error;
            }

            await WriteExplanationAsync(http, match, caller, request, route, headers, snapshot.Generation);
            return null;
        }
        finally
        {
            await EndAsync(request.Body, clock);
        }
    }

    private async ValueTask<ProxyError?> ExplainAsync(
        HttpContext http, EndpointMatch match, Caller caller, ReadRequest request, RouteMatch route, Exchange exchange)
    {
        if (!caller.Debug)
        {
            return ProxyErrors.ExplainNotAllowed;
        }

        var headers = new ResponseHeaders(exchange.Id, exchange.ClientId) { RequestIdHeader = match.Dialect.RequestIdHeader };
        exchange.ResponseBytes = await WriteExplanationAsync(http, match, caller, request, route, headers, exchange.Generation);
        exchange.Status = StatusCodes.Status200OK;
        return null;
    }

    private async ValueTask<int> WriteExplanationAsync(
        HttpContext http, EndpointMatch match, Caller caller, ReadRequest request, RouteMatch route, ResponseHeaders headers, long generation)
    {
        var endpoint = match.Endpoint!;
        var selection = balancer.Look(route, endpoint.Operation, caller, request, http.Request.Headers);
        var forward = new ForwardRequest(endpoint, match.Id, "", selection, request.Fields, request.Body, http.Request.Headers, null, null);
        var output = new ArrayBufferWriter<byte>(2048);
        await using (var json = new Utf8JsonWriter(output, ErrorText.JsonOptions))
        {
            new Explanation(json, time.GetUtcNow()).Write(forward, caller, generation);
        }

        headers.Apply(http.Response, null);
        http.Response.ContentType = "application/json";
        http.Response.Headers.CacheControl = "no-store";
        http.Response.ContentLength = output.WrittenCount;
        await http.Response.BodyWriter.WriteAsync(output.WrittenMemory, http.RequestAborted);
        return output.WrittenCount;
    }
}
