using LlmProxy.Host.Sources;

namespace LlmProxy.Host.Listening;

/// <summary>What has to hold before the network may reach us.</summary>
internal static class ListenRules
{
    private const int ShortKey = 16;

    /// <summary>Refuses to be reachable from other machines without keys.</summary>
    public static void Refuse(ListenPlan plan, LoadedConfiguration configuration)
    {
        if (plan.Api.FirstOrDefault(static address => !address.IsLoopback) is not { } open)
        {
            return;
        }

        var why = configuration switch
        {
            { IsDemo: true } => "the demo is for this machine only: write a configuration with \"llmproxy init\", or listen on 127.0.0.1",
            { Options.AllowAnonymous: true } => "AllowAnonymous would serve anybody who can reach it: configure Keys and take AllowAnonymous out, or listen on 127.0.0.1",
            { GeneratedKey: not null, Source.Kind: SourceKind.Variables } => "no client key is configured: set LLMPROXY_CLIENT_KEY (or VERIFY_API_KEY), or listen on 127.0.0.1",
            { GeneratedKey: not null } => "no client key is configured: add one under Keys, or listen on 127.0.0.1",
            _ => null,
        };
        if (why is not null)
        {
            throw new RefusedException($"Refusing to listen on {open}, which other machines can reach: {why}.");
        }
    }

    /// <summary>The names of keys that others could guess; only those of which more than a hash is known can be measured.</summary>
    public static IEnumerable<string> Warnings(ListenPlan plan, LoadedConfiguration configuration) => plan.IsLoopback
        ? []
        : configuration.Options.Keys.Where(static key => key.Value.Key is { Length: < ShortKey })
            .Select(key => $"The client key \"{key.Key}\" has fewer than {ShortKey} characters and other machines can try to guess it. Make one with: openssl rand -hex 24");
}
