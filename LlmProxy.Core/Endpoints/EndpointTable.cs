using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Endpoints;

/// <summary>Which operation is this? The front door of the first stage: a table, as data.</summary>
internal static class EndpointTable
{
    private const string AnthropicVersion = "anthropic-version";

    /// <summary>All operations.</summary>
    public static IReadOnlyList<Endpoint> Rows => _rows;

    private static readonly Endpoint[] _rows =
    [
        new(Operations.Chat, "chat", "chat", HttpMethods.Post, "/chat/completions", Dialect.Chat) { CanStream = true, HasDeploymentPath = true },
        new(Operations.Responses, "responses", "chat", HttpMethods.Post, "/responses", Dialect.Responses) { CanStream = true, IsStored = true },
        new(Operations.Messages, "messages", "chat", HttpMethods.Post, "/messages", Dialect.Messages) { CanStream = true },
        new(Operations.CountTokens, "count_tokens", "count_tokens", HttpMethods.Post, "/messages/count_tokens", Dialect.Messages),
        new(Operations.Completions, "completions", "text_completion", HttpMethods.Post, "/completions", Dialect.Legacy) { CanStream = true, HasDeploymentPath = true },
        new(Operations.Embeddings, "embeddings", "embeddings", HttpMethods.Post, "/embeddings", Dialect.Plain) { HasDeploymentPath = true },
        new(Operations.Responses, "responses", "get_response", HttpMethods.Get, "/responses/{id}", Dialect.Responses) { CanStream = true },
        new(Operations.Responses, "responses", "delete_response", HttpMethods.Delete, "/responses/{id}", Dialect.Responses),
        new(Operations.Responses, "responses", "cancel_response", HttpMethods.Post, "/responses/{id}/cancel", Dialect.Responses),
        new(Operations.Responses, "responses", "list_input_items", HttpMethods.Get, "/responses/{id}/input_items", Dialect.Responses),
        new(Operations.Models, "models", "models", HttpMethods.Get, "/models", Dialect.Messages) { IsLocal = true, Header = AnthropicVersion },
        new(Operations.Models, "models", "models", HttpMethods.Get, "/models/{*id}", Dialect.Messages) { IsLocal = true, Header = AnthropicVersion },
        new(Operations.Models, "models", "models", HttpMethods.Get, "/models", Dialect.Plain) { IsLocal = true },
        new(Operations.Models, "models", "models", HttpMethods.Get, "/models/{*id}", Dialect.Plain) { IsLocal = true },
        new(Operations.Key, "key", "key", HttpMethods.Get, "/key", Dialect.Plain) { IsLocal = true },
    ];

    private static readonly EndpointMatch[] _plain = [.. _rows.Select(static row => new EndpointMatch(row, "", row.Dialect, null))];

    /// <summary>A path from there on; the row's own text where it is exactly that, so that most requests need none of their own.</summary>
    public static string Rest(string path, int start)
    {
        var rest = path.AsSpan(start);
        foreach (var row in _rows)
        {
            if (rest.SequenceEqual(row.Path))
            {
                return row.Path;
            }
        }

        return path[start..];
    }

    /// <summary>Finds the endpoint of a path behind the prefix. Methods and paths are compared exactly: there is one way to write each.</summary>
    /// <param name="request">Its method and headers decide along with the path.</param>
    /// <param name="path">Behind the prefix.</param>
    /// <param name="asked">The whole path as it was asked for; null if that is the request's own.</param>
    public static EndpointMatch Match(HttpRequest request, string path, string? asked = null)
    {
        var method = request.Method;

        // What CONNECT and "OPTIONS *" ask for has no path of ours.
        if (method is "TRACE" or "CONNECT" || (method == "OPTIONS" && path is "" or "*"))
        {
            return Refuse(request, path, ProxyErrors.MethodNotAllowed(DisplayText.Name(method), "POST"));
        }

        string? allowed = null;
        var namesModel = AzurePaths.TakeOff(ref path);
        for (var i = 0; i < _rows.Length; i++)
        {
            var row = _rows[i];
            if (!(namesModel ? row.MatchesBehindModel(path, out var id) : row.Matches(path, out id)) || !IsServedTo(row, request))
            {
                continue;
            }

            if (row.Method == method || (row.IsLocal && method == "HEAD"))
            {
                return namesModel
                    ? new EndpointMatch(row, "", row.Dialect, null) { Model = AzurePaths.Unescape(id) }
                    : id.Length == 0 ? _plain[i]
                    : new EndpointMatch(row, id, row.Dialect, null);
            }

            allowed = allowed is null || allowed == row.Method ? row.Method : $"{allowed}, {row.Method}";
        }

        var shown = DisplayText.Name(asked ?? request.Path.Value ?? "");
        return Refuse(request, path, allowed is not null ? ProxyErrors.MethodNotAllowed(DisplayText.Name(method), allowed)
            : path.StartsWith("/v1/", StringComparison.Ordinal) ? ProxyErrors.DoubledPrefix(shown)
            : ProxyErrors.UnknownUrl(shown));
    }

    /// <summary>The dialect in which a client of that path reads errors, whether or not there is anything at it.</summary>
    public static Dialect DialectOf(HttpRequest request, string path)
    {
        AzurePaths.TakeOff(ref path);

        // A client whose base address is wrong by one "/v1" is told so in its own dialect.
        path = path.StartsWith("/v1/", StringComparison.Ordinal) ? path["/v1".Length..] : path;
        foreach (var row in _rows)
        {
            if (IsServedTo(row, request) && path.StartsWith(row.Before, StringComparison.Ordinal)
                && (path.Length == row.Before.Length || row.HasId || path[row.Before.Length] == '/'))
            {
                return row.Dialect;
            }
        }

        return request.Headers.ContainsKey(AnthropicVersion) ? Dialect.Messages : Dialect.Plain;
    }

    private static bool IsServedTo(Endpoint row, HttpRequest request) => row.Header is null || request.Headers.ContainsKey(row.Header);

    private static EndpointMatch Refuse(HttpRequest request, string path, ProxyError error) =>
        new(null, "", DialectOf(request, path), error);
}

/// <summary>An endpoint, or why there is none.</summary>
/// <param name="Endpoint">Null if there is an error.</param>
/// <param name="Id">What stood in the path where the endpoint has an id.</param>
/// <param name="Dialect">How the client reads errors.</param>
/// <param name="Error">What is to be answered.</param>
/// <remarks>A class, and one for all requests of an endpoint without an id: as a value each method that waits would keep room for all of it.</remarks>
internal sealed record EndpointMatch(Endpoint? Endpoint, string Id, Dialect Dialect, ProxyError? Error)
{
    /// <summary>Nothing is known yet.</summary>
    public static EndpointMatch None { get; } = new(null, "", Dialect.Plain, null);

    /// <summary>The model that the path names; null where the body does.</summary>
    public string? Model { get; init; }
}
