using System.Security.Cryptography;
using System.Text;

namespace LlmProxy.Core.Configuration;

/// <summary>Rules of groups, keys and the host app's users.</summary>
internal static class CallerRules
{
    private const string HashPrefix = "sha256:";
    private const int LongestKey = 200;

    public static void Check(LlmProxyOptions options, Problems problems)
    {
        var models = new ModelNames(options, problems.Places);
        foreach (var (name, group) in options.Groups)
        {
            var path = Places.Member("Groups", name);
            CheckName(path, "a group", name, problems);
            CheckModels(Places.Member(path, "Models"), group.Models, models, problems);
            CheckTags(Places.Member(path, "UpstreamTags"), group.UpstreamTags, options, problems);
        }

        var owners = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, key) in options.Keys)
        {
            var path = Places.Member("Keys", name);
            CheckName(path, "a key", name, problems);
            CheckGroup(Places.Member(path, "Group"), key.Group, options, problems);
            CheckModels(Places.Member(path, "Models"), key.Models, models, problems);
            CheckTags(Places.Member(path, "UpstreamTags"), key.UpstreamTags, options, problems);
            CheckSecret(path, name, key, owners, problems);
        }

        if (options.HostIdentity is { } identity)
        {
            CheckGroup("HostIdentity › DefaultGroup", identity.DefaultGroup, options, problems);
            CheckClaim("HostIdentity › IdClaim", identity.IdClaim, problems);
            CheckClaim("HostIdentity › GroupClaim", identity.GroupClaim, problems);
        }
    }

    private static void CheckName(string path, string what, string name, Problems problems)
    {
        if (!OptionsRules.IsName(name))
        {
            problems.Error(path, $"the name of {what} has 1 to 100 characters on one line.");
        }
        else if (name.StartsWith("sk-", StringComparison.Ordinal))
        {
            problems.Error(path, $"the name of {what} stands in records and must not be a secret: give it a name that does not start with \"sk-\".");
        }
    }

    private static void CheckGroup(string path, string? group, LlmProxyOptions options, Problems problems)
    {
        if (group is not null && !options.Groups.ContainsKey(group))
        {
            problems.Error(path, $"unknown group {Problems.Value}. {NearestName.Advise(group, [.. options.Groups.Keys])}", group);
        }
    }

    private static void CheckClaim(string path, string? claim, Problems problems)
    {
        if (claim is not null && string.IsNullOrWhiteSpace(claim))
        {
            problems.Error(path, "is empty. Name a claim, or leave it out.");
        }
    }

    private static void CheckModels(string path, IList<string>? allowed, ModelNames models, Problems problems)
    {
        for (var i = 0; i < (allowed?.Count ?? 0); i++)
        {
            var name = allowed![i];
            var at = Places.Item(path, i);
            if (ModelNames.HasStarInside(name))
            {
                problems.Error(at, $"{Problems.Value}: a star may only stand at the end.", name);
            }
            else if (!models.CanServe(name))
            {
                problems.Error(at, $"unknown model {Problems.Value}. {NearestName.Advise(name, models.Shown)}", name);
            }
        }
    }

    // A tag that no upstream carries would let nothing through: nobody means that.
    private static void CheckTags(string path, IList<string> tags, LlmProxyOptions options, Problems problems)
    {
        var known = options.Upstreams.Values.SelectMany(static u => u.Tags).Distinct(StringComparer.Ordinal).ToList();
        for (var i = 0; i < tags.Count; i++)
        {
            if (!known.Contains(tags[i], StringComparer.Ordinal))
            {
                problems.Error(Places.Item(path, i), $"no upstream has the tag {Problems.Value}. {NearestName.Advise(tags[i], known)}", tags[i]);
            }
        }
    }

    private static void CheckSecret(string path, string name, KeyOptions key, Dictionary<string, string> owners, Problems problems)
    {
        var at = Places.Member(path, key.Hash is null ? "Key" : "Hash");
        if (key.Hash is null && key.Key is null)
        {
            // Either may stand there and be unreadable; that was said.
            if (!problems.Places.HasFailed(Places.Member(path, "Hash")) && !problems.Places.HasFailed(Places.Member(path, "Key")))
            {
                problems.Error(path, "has no key: write its Hash, or Key as \"${NAME}\".");
            }
        }
        else if (key.Hash is not null && key.Key is not null)
        {
            problems.Error(path, "has Hash and Key. Write one of them.");
        }
        else if (key.Hash is { } hash && !IsHash(hash))
        {
            problems.Error(at, "is not \"sha256:\" and 64 hexadecimal digits.");
        }
        else if (key.Key is { } secret && (string.IsNullOrWhiteSpace(secret) || secret.Length > LongestKey || !HeaderRules.IsVisible(secret)))
        {
            problems.Error(at, string.IsNullOrWhiteSpace(secret)
                ? "is empty. An empty key would let everybody in."
                : $"needs 1 to {LongestKey} visible ASCII characters.");
        }
        else if (!owners.TryAdd(key.Hash?.ToLowerInvariant() ?? Hash(key.Key!), name))
        {
            var owner = owners[key.Hash?.ToLowerInvariant() ?? Hash(key.Key!)];
            problems.Error(at, $"is the same key as that of {Problems.Quote(owner)}.");
        }
    }

    private static bool IsHash(string text) =>
        text.StartsWith(HashPrefix, StringComparison.Ordinal)
        && text.Length == HashPrefix.Length + (2 * SHA256.HashSizeInBytes)
        && text.Skip(HashPrefix.Length).All(char.IsAsciiHexDigit);

    private static string Hash(string key) => HashPrefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
