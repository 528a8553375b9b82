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
        var scope = new CallerScope(options, problems.Places);
        foreach (var (name, group) in options.Groups)
        {
            var path = Places.Member("Groups", name);
            CheckName(path, "a group", name, problems);
            CheckGroup(path, group, scope, problems);
        }

        var owners = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, key) in options.Keys)
        {
            var path = Places.Member("Keys", name);
            CheckName(path, "a key", name, problems);
            CheckKey(path, key, scope, problems);
            CheckSecret(path, name, key, owners, problems);
        }

        if (options.HostIdentity is { } identity)
        {
            CheckGroupName("HostIdentity › DefaultGroup", identity.DefaultGroup, scope, problems);
            CheckClaim("HostIdentity › IdClaim", identity.IdClaim, problems);
            CheckClaim("HostIdentity › GroupClaim", identity.GroupClaim, problems);
        }
    }

    /// <summary>What holds for a group wherever it is kept.</summary>
    public static void CheckGroup(string path, GroupOptions group, CallerScope scope, Problems problems)
    {
        CheckModels(Places.Member(path, "Models"), group.Models, scope, problems);
        CheckTags(Places.Member(path, "UpstreamTags"), group.UpstreamTags, scope, problems);
        AllowanceRules.Check(path, group, problems);
        AllowanceRules.CheckOperations(Places.Member(path, "Endpoints"), group.Endpoints, problems);
        AllowanceRules.CheckTimeZone(Places.Member(path, "TimeZone"), group.TimeZone, problems);
        if (group.EachKey is { } each)
        {
            AllowanceRules.Check(Places.Member(path, "EachKey"), each, problems);
        }

        if (group.EndUser is { } users)
        {
            AllowanceRules.CheckEndUser(Places.Member(path, "EndUser"), users, problems);
        }
    }

    /// <summary>What holds for a key wherever it is kept; not its secret.</summary>
    public static void CheckKey(string path, KeyOptions key, CallerScope scope, Problems problems)
    {
        CheckGroupName(Places.Member(path, "Group"), key.Group, scope, problems);
        CheckModels(Places.Member(path, "Models"), key.Models, scope, problems);
        CheckTags(Places.Member(path, "UpstreamTags"), key.UpstreamTags, scope, problems);
        AllowanceRules.Check(path, key, problems);
        AllowanceRules.CheckOperations(Places.Member(path, "Endpoints"), key.Endpoints, problems);
        AllowanceRules.CheckTimeZone(Places.Member(path, "TimeZone"), key.TimeZone, problems);
        AllowanceRules.CheckMetadata(Places.Member(path, "Metadata"), key.Metadata, problems);
    }

    /// <summary>Whether something can be the name of a key or a group, wherever it is kept.</summary>
    /// <param name="path">Where it stands.</param>
    /// <param name="what">For people.</param>
    /// <param name="name">The name.</param>
    /// <param name="problems">Take what is wrong.</param>
    public static void CheckName(string path, string what, string name, Problems problems)
    {
        if (!OptionsRules.IsName(name))
        {
            problems.Error(path, $"the name of {what} has 1 to 100 characters on one line.");
        }
        else if (name.StartsWith("sk-", StringComparison.Ordinal))
        {
            problems.Error(path, $"the name of {what} stands in records and must not be a secret: give it a name that does not start with \"sk-\".");
        }
        else if (name.StartsWith("key_", StringComparison.Ordinal))
        {
            problems.Error(path, $"the name of {what} does not start with \"key_\": so do the ids of keys in a store.");
        }
    }

    private static void CheckGroupName(string path, string? group, CallerScope scope, Problems problems)
    {
        if (group is not null && !scope.Groups.Contains(group))
        {
            problems.Error(path, $"unknown group {Problems.Value}. {NearestName.Advise(group, scope.Groups)}", group);
        }
    }

    private static void CheckClaim(string path, string? claim, Problems problems)
    {
        if (claim is not null && string.IsNullOrWhiteSpace(claim))
        {
            problems.Error(path, "is empty. Name a claim, or leave it out.");
        }
    }

    private static void CheckModels(string path, IList<string>? allowed, CallerScope scope, Problems problems)
    {
        for (var i = 0; i < (allowed?.Count ?? 0); i++)
        {
            var name = allowed![i];
            var at = Places.Item(path, i);
            if (ModelNames.HasStarInside(name))
            {
                problems.Error(at, $"{Problems.Value}: a star may only stand at the end.", name);
            }
            else if (!scope.Models.CanServe(name))
            {
                problems.Error(at, $"unknown model {Problems.Value}. {NearestName.Advise(name, scope.Models.Shown)}", name);
            }
        }
    }

    // A tag that no upstream carries would let nothing through: nobody means that.
    private static void CheckTags(string path, IList<string> tags, CallerScope scope, Problems problems)
    {
        for (var i = 0; i < tags.Count; i++)
        {
            if (!scope.Tags.Contains(tags[i]))
            {
                problems.Error(Places.Item(path, i), $"no upstream has the tag {Problems.Value}. {NearestName.Advise(tags[i], scope.Tags)}", tags[i]);
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

    public static bool IsHash(string text) =>
        text.StartsWith(HashPrefix, StringComparison.Ordinal)
        && text.Length == HashPrefix.Length + (2 * SHA256.HashSizeInBytes)
        && text.Skip(HashPrefix.Length).All(char.IsAsciiHexDigit);

    private static string Hash(string key) => HashPrefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}

/// <summary>What keys and groups may name.</summary>
/// <param name="options">Models, tags and groups.</param>
/// <param name="places">Tells what of it may be shown.</param>
/// <param name="storedGroups">Groups that are not in the configuration.</param>
internal sealed class CallerScope(LlmProxyOptions options, Places places, IEnumerable<string>? storedGroups = null)
{
    public ModelNames Models { get; } = new(options, places);

    public IReadOnlyCollection<string> Tags { get; } = options.Upstreams.Values.SelectMany(static u => u.Tags).ToHashSet(StringComparer.Ordinal);

    public IReadOnlyCollection<string> Groups { get; } = options.Groups.Keys.Concat(storedGroups ?? []).ToHashSet(StringComparer.Ordinal);
}
