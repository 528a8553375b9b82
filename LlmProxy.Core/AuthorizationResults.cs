using LlmProxy.Core.Accounting;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Relaying;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core;

/// <summary>
/// Gives the host app's own refusals (<c>RequireAuthorization()</c>) the body that clients of this API can read. Only on our
/// endpoints: all others are left to the handler that was there before.
/// </summary>
internal sealed class AuthorizationResults(IAuthorizationMiddlewareResultHandler before, LlmProxySnapshots snapshots, Accountant accountant)
    : IAuthorizationMiddlewareResultHandler
{
    public async Task HandleAsync(RequestDelegate next, HttpContext context, AuthorizationPolicy policy, PolicyAuthorizationResult authorizeResult)
    {
        if (authorizeResult.Succeeded || context.GetEndpoint()?.Metadata.GetMetadata<LlmProxyEndpointMark>() is not { } mark)
        {
            await before.HandleAsync(next, context, policy, authorizeResult);
            return;
        }

        // A challenge of the app's scheme may be a redirect to a sign-in page: nothing that a client of an API can follow.
        var error = authorizeResult.Forbidden ? ProxyErrors.Forbidden : ProxyErrors.InvalidApiKey;
        var exchange = accountant.Begin();
        var snapshot = snapshots.Current;
        exchange.Generation = snapshot.Generation;
        (exchange.Status, exchange.End, exchange.Blame) = (error.Status, error.Code, error.Blame);
        try
        {
            var dialect = EndpointTable.DialectOf(context.Request, (context.Request.Path.Value ?? "")[mark.Prefix.Length..]);
            var headers = new ResponseHeaders(exchange.Id, null) { RequestIdHeader = dialect.RequestIdHeader };
            exchange.ResponseBytes = await ErrorReply.WriteAsync(context, dialect, error, snapshot.Options.Contact, headers);
        }
        finally
        {
            accountant.Complete(exchange);
        }
    }
}

/// <summary>Marks the endpoints that <c>MapLlmProxy</c> maps.</summary>
/// <param name="prefix">What they stand under.</param>
internal sealed class LlmProxyEndpointMark(string prefix)
{
    public string Prefix { get; } = prefix;
}
