namespace LlmProxy.Host.Clients;

/// <summary>What a client is to be told of the proxy. No record: it may hold a key.</summary>
internal sealed class Connection
{
    /// <summary>Holds the key where none is written out.</summary>
    public const string KeyVariable = "LLMPROXY_API_KEY";

    /// <summary>What stands for a model's name that nobody knows.</summary>
    public const string UnknownModel = "MODEL";

    /// <summary>Without <c>/v1</c> and without a slash at its end.</summary>
    public required string Root { get; init; }

    /// <summary>With <c>/v1</c>, as OpenAI's clients want it.</summary>
    public string Api => Root + "/v1";

    /// <summary>Null: the client's own names do, or none is known.</summary>
    public string? Model { get; init; }

    /// <summary>All that suit the client, by name, the first first; empty if that is not known.</summary>
    public IReadOnlyList<string> Suited { get; init; } = [];

    /// <summary>Names that the client brings along are served as well.</summary>
    public bool ServesOwnNames { get; init; }

    /// <summary>Null: it is to come from <see cref="KeyVariable"/>.</summary>
    public string? Key { get; init; }

    /// <summary>The address without what people wrote behind it: a slash, <c>/v1</c>, a query.</summary>
    public static string RootOf(Uri address)
    {
        var text = address.GetLeftPart(UriPartial.Path).TrimEnd('/');
        return text.EndsWith("/v1", StringComparison.Ordinal) ? text[..^"/v1".Length].TrimEnd('/') : text;
    }
}
