namespace LlmProxy.Host.Clients;

/// <summary>Anthropic's coding agent: by variables alone.</summary>
internal static class ClaudeCode
{
    // It asks for a model of each of these by itself: the small one titles and summarises, agents may have another.
    private static readonly string[] _tiers = ["opus", "sonnet", "haiku"];

    public static ClientSetup SetUp(Connection connection)
    {
        var variables = new List<KeyValuePair<string, string?>>
        {
            // It puts /v1/messages behind this.
            new("ANTHROPIC_BASE_URL", connection.Root),
            new("ANTHROPIC_AUTH_TOKEN", connection.Key),
        };
        if (connection.Model is { } model)
        {
            variables.Add(new("ANTHROPIC_MODEL", model));
            if (!connection.ServesOwnNames)
            {
                variables.AddRange(_tiers.Select(tier => new KeyValuePair<string, string?>(
                    $"ANTHROPIC_DEFAULT_{tier.ToUpperInvariant()}_MODEL",
                    connection.Suited.FirstOrDefault(name => name.Contains(tier, StringComparison.OrdinalIgnoreCase)) ?? model)));
            }
        }

        return new ClientSetup
        {
            BaseUrl = connection.Root,
            Variables = variables,
            Put = "into the shell that starts claude, or its profile; or the values under \"env\" in ~/.claude/settings.json",
            Check = "start claude, then /status: it names this address",
            Undo = "unset " + string.Join(' ', variables.Select(static variable => variable.Key)),
            Notes = ["unset ANTHROPIC_API_KEY, if it is set: with both it sends two keys"],
        };
    }
}
