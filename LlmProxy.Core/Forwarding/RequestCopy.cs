using System.Buffers;
using LlmProxy.Core.Requests;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Forwarding;

/// <summary>A request that may outlive its exchange: the server's buffers and headers are gone with that.</summary>
internal static class RequestCopy
{
    /// <summary>Copies the body and those headers that go up, but for how long the client waits.</summary>
    /// <param name="request">Whose exchange runs.</param>
    /// <param name="budget">What the copy is taken from until its body's last holder has gone.</param>
    /// <param name="limit">Of the budget.</param>
    /// <returns>Null if there is no room. Else its body must be ended.</returns>
    public static ForwardRequest? TryMake(ForwardRequest request, BodyBudget budget, long limit)
    {
        var length = request.Body.Length;
        if (!budget.TryTake(length, limit))
        {
            return null;
        }

        var headers = new HeaderDictionary();
        foreach (var (name, values) in request.Headers)
        {
            // How long its client waits bounds the exchange, not what outlives it.
            if ((ForwardedHeaders.GoesUp(name) && !name.Equals(ClientTimeout.Header, StringComparison.OrdinalIgnoreCase))
                || name.Equals(LoopGuard.Header, StringComparison.OrdinalIgnoreCase))
            {
                headers[name] = values;
            }
        }

        var body = new RequestBody(new ReadOnlySequence<byte>(request.Body.Bytes.ToArray()), reader: null, budget, length);
        return new ForwardRequest(
            request.Endpoint, request.Id, request.Query, request.Selection, request.Fields, body, headers, request.TraceParent, request.TraceState);
    }
}
