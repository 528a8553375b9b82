namespace LlmProxy.Host.Clients;

/// <summary>OpenAI's coding agent: by its settings file, which names a variable for the key.</summary>
internal static class Codex
{
    private const string Provider = "llmproxy";
    private const string Path = "~/.codex/config.toml";

    public static ClientSetup SetUp(Connection connection)
    {
        var model = connection.Model is { } name ? $"model = {Quoting.Literal(name)}\n" : "";
        var part = $"""
            {model}model_provider = "{Provider}"

            [model_providers.{Provider}]
            name = "LlmProxy"
            base_url = {Quoting.Literal(connection.Api)}
            env_key = "{Connection.KeyVariable}"
            wire_api = "responses"

            """.ReplaceLineEndings("\n");
        return new ClientSetup
        {
            BaseUrl = connection.Api,
            Variables = [new(Connection.KeyVariable, connection.Key)],
            File = new(Path, part),
            Put = $"into {Path}: what is above the [ at its top, in place of what is there of the same name; the rest at its end",
            Check = "codex exec \"Say hello.\"",
            Undo = $"take these lines out of {Path} again",
            Notes = [$"or leave that file as it is: these lines alone as ~/.codex/{Provider}.config.toml, and codex --profile {Provider} (0.134 or later)"],
        };
    }
}
