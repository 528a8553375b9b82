namespace LlmProxy.Core.Configuration;

/// <summary>What may stand under <c>Admin</c>.</summary>
internal static class AdminTable
{
    private const int ShortestKey = 16;
    private const int LongestKey = 200;

    private static readonly ObjectShape<AdminKeyOptions> Key = new(
        static () => new AdminKeyOptions(),
        [
            new Member<AdminKeyOptions, string>("Hash", TextShape.Instance, static (o, v) => o.Hash = v),
            new Member<AdminKeyOptions, string>("Key", new SecretShape(static _ => "LLMPROXY_ADMIN_KEY"), static (o, v) => o.Key = v),
            new Member<AdminKeyOptions, bool>("ReadOnly", SwitchShape.Instance, static (o, v) => o.ReadOnly = v),
        ])
    { IsNamedByOperator = true };

    public static ObjectShape<AdminOptions> Shape { get; } = new(
        static () => new AdminOptions(),
        [
            Collections.Map<AdminOptions, AdminKeyOptions>("Keys", new(Key, static () => new()), static o => o.Keys),
            new Member<AdminOptions, bool>("OnApiPort", SwitchShape.Instance, static (o, v) => o.OnApiPort = v),
        ]);

    public static void Check(LlmProxyOptions options, Problems problems)
    {
        foreach (var (name, key) in options.Admin.Keys)
        {
            var path = Places.Member(Places.Member("Admin", "Keys"), name);
            if (!OptionsRules.IsName(name) || name.StartsWith("sk-", StringComparison.Ordinal))
            {
                problems.Error(path, "the name of an admin key stands in logs: it has 1 to 100 characters on one line and does not start with \"sk-\".");
            }

            Check(path, key, problems);
        }

        if (options.Admin is { OnApiPort: true, Keys.Count: 0 })
        {
            problems.Error(Places.Member("Admin", "OnApiPort"), "needs a key in Admin › Keys: without one nobody could use it there.");
        }
    }

    private static void Check(string path, AdminKeyOptions key, Problems problems)
    {
        if (problems.Places.HasFailed(Places.Member(path, "Hash")) || problems.Places.HasFailed(Places.Member(path, "Key")))
        {
            return;
        }

        if ((key.Hash is null) == (key.Key is null))
        {
            problems.Error(path, key.Hash is null ? "has no key: write its Hash, or Key as \"${NAME}\"." : "has Hash and Key. Write one of them.");
        }
        else if (key.Hash is { } hash && !CallerRules.IsHash(hash))
        {
            problems.Error(Places.Member(path, "Hash"), "is not \"sha256:\" and 64 hexadecimal digits.");
        }
        else if (key.Key is { } secret && (secret.Length is < ShortestKey or > LongestKey || !HeaderRules.IsVisible(secret)))
        {
            problems.Error(Places.Member(path, "Key"), $"needs {ShortestKey} to {LongestKey} visible ASCII characters.");
        }
    }
}
