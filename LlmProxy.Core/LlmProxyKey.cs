using LlmProxy.Core.Configuration;

namespace LlmProxy.Core;

/// <summary>What has become of a key.</summary>
public enum LlmProxyKeyStatus
{
    /// <summary>It is valid.</summary>
    Active,

    /// <summary>Refused for now.</summary>
    Disabled,

    /// <summary>Its time is over.</summary>
    Expired,

    /// <summary>Taken back for good.</summary>
    Revoked,

    /// <summary>It is refused because its group is gone, or because what is stored of it cannot be read by this version.</summary>
    Unusable,
}

/// <summary>An API key, of the configuration or the store. It holds no secret.</summary>
public sealed class LlmProxyKey
{
    /// <summary>In records and the ledger: of the store <c>key_</c> and 16 characters, of the configuration its name.</summary>
    public required string Id { get; init; }

    /// <summary>For people.</summary>
    public required string Name { get; init; }

    /// <summary>The last four characters of the key; empty where they are not known.</summary>
    public string Tail { get; init; } = "";

    /// <summary>Its group; null: none.</summary>
    public string? Group { get; init; }

    /// <summary>It is in the store and can be changed; else it is in the configuration.</summary>
    public bool IsStored { get; init; }

    /// <summary>What has become of it.</summary>
    public LlmProxyKeyStatus Status { get; init; }

    /// <summary>When it was made, UTC; null: it is of the configuration.</summary>
    public DateTimeOffset? Created { get; init; }

    /// <summary>From then on it is refused, UTC; null: never.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>When it was revoked, UTC; null: it was not.</summary>
    public DateTimeOffset? Revoked { get; init; }

    /// <summary>Until when the key from before the last rotation is accepted too, UTC; null: it is not.</summary>
    public DateTimeOffset? FormerUntil { get; init; }

    /// <summary>All that was set for it, group and expiry included, as a JSON object with the members of the configuration: what <see cref="LlmProxyKeys.ChangeAsync"/> takes.</summary>
    public string Settings { get; init; } = "{}";

    /// <summary>What it may use by itself: its own limits, and where it has none what its group says of each key.</summary>
    public AllowanceOptions Limits { get; init; } = new EachKeyOptions();

    /// <summary>Of the store; another one with each change. 0 for a key of the configuration.</summary>
    public long Revision { get; init; }
}

/// <summary>A group of keys, of the configuration or the store.</summary>
public sealed class LlmProxyGroup
{
    /// <summary>As keys name it.</summary>
    public required string Name { get; init; }

    /// <summary>It is in the store and can be changed; else it is in the configuration.</summary>
    public bool IsStored { get; init; }

    /// <summary>All that was set for it, as a JSON object with the members of the configuration.</summary>
    public string Settings { get; init; } = "{}";

    /// <summary>Of the store; another one with each change. 0 for a group of the configuration.</summary>
    public long Revision { get; init; }
}

/// <summary>What came of a change.</summary>
public enum LlmProxyKeyOutcome
{
    /// <summary>It is done, and counts here at once and elsewhere within a second.</summary>
    Done,

    /// <summary>What was asked for cannot be; <see cref="LlmProxyKeyChange.Problems"/> has all that is wrong.</summary>
    Invalid,

    /// <summary>There is no such key or group.</summary>
    NotFound,

    /// <summary>The name or the hash is taken, or somebody else has changed it meanwhile.</summary>
    Conflict,

    /// <summary>It stands in the configuration and can be changed there only, or there is no store.</summary>
    NotStored,

    /// <summary>The store cannot be asked at the moment. Nothing is known to have been changed; look before trying again.</summary>
    Unavailable,
}

/// <summary>What came of a change, and what it has made.</summary>
public sealed class LlmProxyKeyChange
{
    /// <summary>What came of it.</summary>
    public required LlmProxyKeyOutcome Outcome { get; init; }

    /// <summary>Why it was not done, or what is doubtful; empty if there is nothing to say.</summary>
    public IReadOnlyList<ConfigurationProblem> Problems { get; init; } = [];

    /// <summary>The keys that were made or changed, as they are now; empty if nothing was done.</summary>
    public IReadOnlyList<LlmProxyKey> Keys { get; init; } = [];

    /// <summary>The one key that was made or changed; null if there is not just one.</summary>
    public LlmProxyKey? Key => Keys.Count == 1 ? Keys[0] : null;

    /// <summary>The group that was made or changed, as it is now.</summary>
    public LlmProxyGroup? Group { get; init; }

    /// <summary>The new key itself, which nobody can be shown a second time; null where none was made.</summary>
    public string? Secret { get; init; }
}

/// <summary>A key that already exists elsewhere, known by its hash.</summary>
/// <param name="Name">For people.</param>
/// <param name="Hash">64 hexadecimal digits, with or without <c>sha256:</c> before them.</param>
/// <param name="Settings">As for <see cref="LlmProxyKeys.CreateAsync"/>.</param>
public sealed record LlmProxyKeyImport(string Name, string Hash, string Settings = "{}");
