namespace LlmProxy.Core.Authentication;

/// <summary>
/// Keeps keys and groups beside those of the configuration. Register one in DI, before <c>AddLlmProxy</c> if the configuration has no
/// keys. No request waits for it: all of it is read when the app starts, what changes is read again at once or within a second, and
/// while it cannot be reached what was read last counts.
/// </summary>
/// <remarks>Any method may throw; that is logged, counted, and tried again.</remarks>
public interface IKeyStore
{
    /// <summary>What has changed since a revision, removed groups and revoked keys included.</summary>
    /// <param name="afterRevision">As the last answer gave it; 0 for everything.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<KeyStoreChanges> ReadAsync(long afterRevision, CancellationToken cancellationToken);

    /// <summary>Ends when something may have changed since a revision, or after a second at the latest.</summary>
    /// <param name="revision">As <see cref="ReadAsync"/> gave it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask WaitAsync(long revision, CancellationToken cancellationToken);

    /// <summary>
    /// Of each key, inserts it if its <see cref="StoredKey.Revision"/> is 0, else replaces the one of that revision. All of them or none.
    /// </summary>
    /// <returns>
    /// False if a revision is no longer there, or another key, in the store or among these, has the same id, name (unless one of the
    /// two is revoked) or hash; nothing is changed then.
    /// </returns>
    ValueTask<bool> SaveAsync(IReadOnlyList<StoredKey> keys, CancellationToken cancellationToken);

    /// <summary>Inserts a group whose <see cref="StoredGroup.Revision"/> is 0, or replaces the one of that revision.</summary>
    /// <returns>False if that revision is no longer there, or a group of that name is there already, removed or not; nothing is changed then.</returns>
    ValueTask<bool> SaveAsync(StoredGroup group, CancellationToken cancellationToken);
}

/// <param name="Revision">Of the newest change; greater than any before.</param>
/// <param name="Keys">As they are now.</param>
/// <param name="Groups">As they are now.</param>
public sealed record KeyStoreChanges(long Revision, IReadOnlyList<StoredKey> Keys, IReadOnlyList<StoredGroup> Groups);

/// <summary>A key in a store. It holds no secret.</summary>
public sealed record StoredKey
{
    /// <summary><c>key_</c> and 16 characters, ordered by time. Never used again.</summary>
    public required string Id { get; init; }

    /// <summary>For people; unique among the keys that are not revoked, and different from every key in the configuration.</summary>
    public required string Name { get; init; }

    /// <summary><c>sha256:</c> and 64 lower-case hexadecimal digits.</summary>
    public required string Hash { get; init; }

    /// <summary>The last four characters of the key, to recognise it by; empty for one that was imported by its hash.</summary>
    public string Tail { get; init; } = "";

    /// <summary>The hash from before a rotation; null if that is over or there was none.</summary>
    public string? FormerHash { get; init; }

    /// <summary>Until when that is accepted too, UTC.</summary>
    public DateTimeOffset? FormerUntil { get; init; }

    /// <summary>The group, of the configuration or the store; null: none.</summary>
    public string? Group { get; init; }

    /// <summary>When it was made, UTC.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>From then on it is refused, UTC; null: never.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>When it was revoked for good, UTC; null: it was not.</summary>
    public DateTimeOffset? Revoked { get; init; }

    /// <summary>Everything else that a key has in the configuration (models, limits, budget, metadata), as a JSON object with those members.</summary>
    public string Settings { get; init; } = "{}";

    /// <summary>Of the store, which gives it a new one with each change; 0 for a key that is not in it yet.</summary>
    public long Revision { get; init; }
}

/// <summary>A group in a store.</summary>
public sealed record StoredGroup
{
    /// <summary>As keys name it; different from every group in the configuration.</summary>
    public required string Name { get; init; }

    /// <summary>What a group has in the configuration, as a JSON object with those members.</summary>
    public string Settings { get; init; } = "{}";

    /// <summary>It is gone; its keys are refused.</summary>
    public bool Removed { get; init; }

    /// <summary>Of the store, which gives it a new one with each change; 0 for a group that is not in it yet.</summary>
    public long Revision { get; init; }
}
