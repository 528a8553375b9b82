using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;
using Endpoint = LlmProxy.Core.Endpoints.Endpoint;

namespace LlmProxy.Core.Requests;

/// <summary>A request that has been read: its body, which must be released, and its fields.</summary>
internal readonly record struct ReadRequest(RequestBody Body, RequestFields Fields);

/// <summary>Reads the body and finds its fields: the front door of the third stage.</summary>
internal sealed class RequestReader(IEnumerable<IRequestFilter> filters, BodyBudget budget)
{
    private readonly IRequestFilter[] _filters = [.. filters];

    /// <param name="request">Whose body is read.</param>
    /// <param name="endpoint">What it asks for.</param>
    /// <param name="model">The model that its path names; null if the body has to.</param>
    /// <param name="caller">For the filters.</param>
    /// <param name="names">What to look for in the body.</param>
    /// <param name="limits">Sizes.</param>
    /// <param name="clock">The exchange's.</param>
    /// <exception cref="OperationCanceledException">The client has gone, or the clock has cut it off.</exception>
    public async ValueTask<Result<ReadRequest>> ReadAsync(
        HttpRequest request, Endpoint endpoint, string? model, Caller caller, FieldNames names, LimitOptions limits, IBodyClock clock)
    {
        if (endpoint.IsBodyless)
        {
            return new ReadRequest(new RequestBody(default, null), RequestFields.Bodyless(endpoint.CanStream && request.Query["stream"] == "true"));
        }

        if (BodyReader.CheckHeaders(request, limits.RequestBody) is { } refused)
        {
            return refused;
        }

        clock.BeginBody(limits.BodyTime);
        if (!(await BodyReader.ReadAsync(request, limits, budget, clock.OwnToken)).TryGet(out var body, out var error))
        {
            return error;
        }

        clock.EndBody();

        if (!RequestFields.Read(body.Bytes, names, model).TryGet(out var fields, out error))
        {
            body.Release();
            return error;
        }

        var read = new ReadRequest(body, fields);
        return _filters.Length == 0 ? read : await FilterAsync(read, endpoint, model, caller, names, clock.Token);
    }

    private async ValueTask<Result<ReadRequest>> FilterAsync(
        ReadRequest read, Endpoint endpoint, string? model, Caller caller, FieldNames names, CancellationToken cancellation)
    {
        var body = read.Body;
        try
        {
            var request = new LlmRequest(endpoint.Name, caller.Id, caller.Group, read.Fields.Model, body.Bytes);
            foreach (var filter in _filters)
            {
                await filter.InvokeAsync(request, cancellation);
                if (request.Refusal is { } refusal)
                {
                    body.Release();
                    return refusal;
                }
            }

            if (!request.IsReplaced)
            {
                return read;
            }

            body.Release();
            body = new RequestBody(request.Body, null);
            return RequestFields.Read(body.Bytes, names, model).TryGet(out var fields, out var error) ? new ReadRequest(body, fields) : error;
        }
        catch
        {
            body.Release();
            throw;
        }
    }
}
