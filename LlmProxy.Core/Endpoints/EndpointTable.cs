using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Endpoints;

/// <summary>Which operation is this? The front door of the first stage: a table, as data.</summary>
internal static class EndpointTable
{
    /// <summary>All operations.</summary>
    public static IReadOnlyList<Endpoint> Rows => _rows;

    private static readonly Endpoint[] _rows =
    [
        new(Operations.Chat, "chat", "chat", HttpMethods.Post, "/chat/completions", false, false, true, Dialect.Chat),
        new(Operations.Completions, "completions", "text_completion", HttpMethods.Post, "/completions", false, false, true, Dialect.Legacy),
        new(Operations.Embeddings, "embeddings", "embeddings", HttpMethods.Post, "/embeddings", false, false, false, Dialect.Plain),
        new(Operations.Models, "models", "models", HttpMethods.Get, "/models", false, true, false, Dialect.Plain),
        new(Operations.Models, "models", "models", HttpMethods.Get, "/models/", true, true, false, Dialect.Plain),
    ];

    /// <summary>Finds the endpoint of a path behind the prefix. Methods and paths are compared exactly: there is one way to write each.</summary>
    /// <param name="method">As it came.</param>
    /// <param name="path">Behind the prefix.</param>
    /// <param name="fullPath">For the message.</param>
    public static Result<EndpointMatch> Match(string method, string path, string fullPath)
    {
        if (method is "TRACE" or "CONNECT" || path is "" or "*")
        {
            return ProxyErrors.MethodNotAllowed(DisplayText.Name(method), "POST");
        }

        foreach (var row in _rows)
        {
            if (row.TakesRest ? path.Length > row.Path.Length && path.StartsWith(row.Path, StringComparison.Ordinal) : IsPath(path, row.Path))
            {
                return row.Method == method || (row.Method == "GET" && method == "HEAD")
                    ? new EndpointMatch(row, row.TakesRest ? path[row.Path.Length..] : "")
                    : ProxyErrors.MethodNotAllowed(DisplayText.Name(method), row.Method);
            }
        }

        return path.StartsWith("/v1/", StringComparison.Ordinal)
            ? ProxyErrors.DoubledPrefix(DisplayText.Name(fullPath))
            : ProxyErrors.UnknownUrl(DisplayText.Name(fullPath));
    }

    private static bool IsPath(string path, string row) =>
        path.StartsWith(row, StringComparison.Ordinal)
        && (path.Length == row.Length || (path.Length == row.Length + 1 && path[^1] == '/'));
}

/// <summary>An endpoint and the id that stood in the path.</summary>
internal readonly record struct EndpointMatch(Endpoint Endpoint, string Rest);
