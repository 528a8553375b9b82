namespace LlmProxy.Host.Clients;

/// <summary>A client that <c>llmproxy connect</c> knows, as data.</summary>
/// <param name="Name">On the command line.</param>
/// <param name="Title">For people.</param>
/// <param name="Operation">What a model has to be served for.</param>
/// <param name="Path">Where that is asked for.</param>
/// <param name="SetUp">How it is pointed at a proxy.</param>
internal sealed record KnownClient(string Name, string Title, string Operation, string Path, Func<Connection, ClientSetup> SetUp)
{
    private const string Chat = "chat";
    private const string ChatPath = "/v1/chat/completions";

    /// <summary>How the names begin of models that it asks for by itself; null: none.</summary>
    public string? OwnNames { get; private init; }

    /// <summary>It finds out the models by itself and wants none named.</summary>
    public bool ListsModels { get; private init; }

    /// <summary>Where it looks for authorities that the system does not trust.</summary>
    public string AuthorityVariable { get; private init; } = "SSL_CERT_FILE";

    public static IReadOnlyList<KnownClient> All { get; } =
    [
        new("claude", "Claude Code", "messages", "/v1/messages", ClaudeCode.SetUp) { OwnNames = "claude-", AuthorityVariable = "NODE_EXTRA_CA_CERTS" },
        new("codex", "Codex", "responses", "/v1/responses", Codex.SetUp) { OwnNames = "gpt-", AuthorityVariable = "CODEX_CA_CERTIFICATE" },
        new("openwebui", "Open WebUI", Chat, ChatPath, OpenWebUI.SetUp) { ListsModels = true },
        new("python", "OpenAI for Python", Chat, ChatPath, Programs.Python),
        new("node", "OpenAI for Node", Chat, ChatPath, Programs.Node) { AuthorityVariable = "NODE_EXTRA_CA_CERTS" },
        new("dotnet", "OpenAI for .NET", Chat, ChatPath, Programs.DotNet),
        new("langchain", "LangChain for Python", Chat, ChatPath, Programs.LangChain),
    ];
}
