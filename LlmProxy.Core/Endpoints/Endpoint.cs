using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Endpoints;

/// <summary>Operations that an upstream can serve.</summary>
[Flags]
internal enum Operations
{
    None = 0,
    Chat = 1,
    Completions = 2,
    Embeddings = 4,
    Models = 8,
    Responses = 16,
    Messages = 32,
    CountTokens = 64,
    Key = 128,
}

/// <summary>One operation of the API, as data.</summary>
/// <param name="Operation">What an upstream must serve for it.</param>
/// <param name="Name">Its name in configuration and for filters.</param>
/// <param name="GenAiName">Its name in the GenAI conventions, and in records.</param>
/// <param name="Method">Its method.</param>
/// <param name="Path">
/// Its path behind the prefix, with a leading slash; also its path behind an upstream's base. <c>{id}</c> stands for one
/// segment, <c>{*id}</c> at the end for whatever is left.
/// </param>
/// <param name="Dialect">How it says things on the wire.</param>
internal sealed record Endpoint(Operations Operation, string Name, string GenAiName, string Method, string Path, Dialect Dialect)
{
    /// <summary>It serves only requests that carry this header; null: all.</summary>
    public string? Header { get; init; }

    /// <summary>Answered from memory; nothing goes upstream.</summary>
    public bool IsLocal { get; init; }

    /// <summary>A request may ask for a stream.</summary>
    public bool CanStream { get; init; }

    /// <summary>Its answers are kept by the upstream that gave them, and can be asked for or gone on from there.</summary>
    public bool IsStored { get; init; }

    /// <summary>Azure has it below each model's own path as well: <c>/deployments/{model}</c> and then its path.</summary>
    public bool HasDeploymentPath { get; init; }

    /// <summary>The path up to the id; all of it where there is none.</summary>
    public string Before { get; } = Path.Split('{')[0];

    /// <summary>The path behind the id.</summary>
    public string After { get; } = Path.Contains('}', StringComparison.Ordinal) ? Path.Split('}')[1] : "";

    public bool HasId { get; } = Path.Contains('{', StringComparison.Ordinal);

    /// <summary>The id is the whole rest of the path, slashes included.</summary>
    public bool TakesRest { get; } = Path.Contains("{*", StringComparison.Ordinal);

    /// <summary>It asks for something that is named in the path, not by a body with a model.</summary>
    public bool IsBodyless => HasId || IsLocal;

    /// <summary>Is that its path behind the name of a model? Some clients do not escape a slash in the name.</summary>
    /// <param name="path">From the name on.</param>
    /// <param name="model">The name, as it stands in the path.</param>
    public bool MatchesBehindModel(string path, out string model)
    {
        var isIt = HasDeploymentPath && path.Length > Path.Length && path[0] != '/' && path.EndsWith(Path, StringComparison.Ordinal);
        model = isIt ? path[..^Path.Length] : "";
        return isIt;
    }

    /// <summary>Is that its path?</summary>
    /// <param name="path">Behind the prefix.</param>
    /// <param name="id">What stands where the id stands.</param>
    public bool Matches(string path, out string id)
    {
        id = "";
        if (!path.StartsWith(Before, StringComparison.Ordinal))
        {
            return false;
        }

        if (!HasId)
        {
            return path.Length == Before.Length || (path.Length == Before.Length + 1 && path[^1] == '/');
        }

        if (path.Length <= Before.Length + After.Length || !path.EndsWith(After, StringComparison.Ordinal))
        {
            return false;
        }

        id = path[Before.Length..^After.Length];
        return TakesRest || !id.Contains('/', StringComparison.Ordinal);
    }
}
