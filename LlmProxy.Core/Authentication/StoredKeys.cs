using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace LlmProxy.Core.Authentication;

/// <summary>
/// Keys and groups of the store, in memory. One thread at a time changes what has changed there; requests look up without a lock. It
/// outlives configurations, which make of it what they need when it is asked for.
/// </summary>
internal sealed class StoredKeys
{
    private readonly ConcurrentDictionary<KeyHash, Place> _byHash = new();
    private readonly ConcurrentDictionary<string, StoredKeyEntry> _byId = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, StoredKeyEntry> _byName = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, StoredGroupEntry> _groups = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private long _version;
    private long _groupsVersion;
    private long _revision;
    private volatile bool _isOut;

    /// <summary>Counts the times that anything has changed.</summary>
    public long Version => Volatile.Read(ref _version);

    /// <summary>Counts the times that a group has changed.</summary>
    public long GroupsVersion => Volatile.Read(ref _groupsVersion);

    /// <summary>Of the newest change that is known; 0: none.</summary>
    public long Revision => Volatile.Read(ref _revision);

    /// <summary>There is a store and it cannot be asked: a key that is not known may still be one of its.</summary>
    public bool IsOut
    {
        get => _isOut;
        set => _isOut = value;
    }

    /// <summary>Told of each key that cannot be used as it is stored, when it is.</summary>
    public Action<StoredKey, string>? Report { get; set; }

    /// <summary>Likewise of groups.</summary>
    public Action<StoredGroup, string>? ReportGroup { get; set; }

    /// <summary>Every key, revoked ones included, in no order.</summary>
    public IEnumerable<StoredKey> Keys => _byId.Select(static e => e.Value.Key);

    /// <summary>Every group, removed ones included, in no order.</summary>
    public IEnumerable<StoredGroup> Groups => _groups.Select(static e => e.Value.Group);

    /// <summary>The key of a hash, revoked or not; null if there is none.</summary>
    /// <param name="at">The hash.</param>
    /// <param name="hash">The same, to be compared in fixed time.</param>
    /// <param name="time">Ends what a key was before its rotation.</param>
    /// <param name="secret">What was found by; null if it is nobody's or over.</param>
    public StoredKeyEntry? Find(KeyHash at, ReadOnlySpan<byte> hash, TimeProvider time, out KeySecret? secret)
    {
        secret = null;
        if (!_byHash.TryGetValue(at, out var place) || !CryptographicOperations.FixedTimeEquals(hash, place.Secret.Hash)
            || (place.Secret.Until is { } end && time.GetUtcNow() >= end))
        {
            return null;
        }

        secret = place.Secret;
        return place.Entry;
    }

    /// <summary>The same, never from between two steps of a change: for who ends something if there is none.</summary>
    public StoredKeyEntry? FindSettled(KeyHash at, ReadOnlySpan<byte> hash, TimeProvider time, out KeySecret? secret)
    {
        lock (_lock)
        {
            return Find(at, hash, time, out secret);
        }
    }

    /// <summary>The key with this id, or else the one with this name that is not revoked.</summary>
    public StoredKeyEntry? FindKey(string idOrName) => _byId.GetValueOrDefault(idOrName) ?? _byName.GetValueOrDefault(idOrName);

    /// <summary>Who has this hash, now or before a rotation; null if nobody.</summary>
    public StoredKey? OwnerOf(byte[] hash) => _byHash.GetValueOrDefault(KeyHash.From(hash))?.Entry.Key;

    /// <summary>The group with this name, unless it was removed.</summary>
    public StoredGroupEntry? FindGroup(string name) => _groups.TryGetValue(name, out var group) && !group.Group.Removed ? group : null;

    /// <summary>The group with this name, removed or not.</summary>
    public StoredGroup? FindGroupRow(string name) => _groups.GetValueOrDefault(name)?.Group;

    /// <summary>Takes in what the store says has changed. The same change a second time changes nothing.</summary>
    /// <param name="changes">The changes.</param>
    /// <param name="isWhole">That is all that the store has: what is not among it is gone.</param>
    public void Apply(KeyStoreChanges changes, bool isWhole = false)
    {
        lock (_lock)
        {
            if (isWhole)
            {
                Drop(changes);
            }

            foreach (var key in changes.Keys)
            {
                Apply(key, isWhole);
            }

            foreach (var group in changes.Groups)
            {
                _groups[group.Name] = new StoredGroupEntry(group, this);
            }

            if (isWhole || changes.Groups.Count > 0)
            {
                Interlocked.Increment(ref _groupsVersion);
            }

            if (isWhole || changes.Groups.Count + changes.Keys.Count > 0)
            {
                // Last: who has read it before has looked up before.
                Interlocked.Increment(ref _version);
            }

            Volatile.Write(ref _revision, isWhole ? changes.Revision : Math.Max(Revision, changes.Revision));
        }
    }

    private void Drop(KeyStoreChanges all)
    {
        var ids = all.Keys.Select(static key => key.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var (id, entry) in _byId)
        {
            if (ids.Contains(id))
            {
                continue;
            }

            _byId.TryRemove(id, out _);
            foreach (var text in (ReadOnlySpan<string?>)[entry.Key.Hash, entry.Key.FormerHash])
            {
                if (KeyHash.TryParse(text, out var hash))
                {
                    _byHash.TryRemove(KeyHash.From(hash), out _);
                }
            }

            if (_byName.TryGetValue(entry.Key.Name, out var named) && named == entry)
            {
                _byName.TryRemove(entry.Key.Name, out _);
            }
        }

        var groups = all.Groups.Select(static group => group.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var name in _groups.Keys.Where(name => !groups.Contains(name)))
        {
            _groups.TryRemove(name, out _);
        }
    }

    private void Apply(StoredKey key, bool isWhole)
    {
        var before = _byId.GetValueOrDefault(key.Id);

        // What is all that there is goes before what was known, whatever its revision: a store that lost its last commit gives that number again.
        if (before is not null && (isWhole ? before.Key == key : before.Key.Revision >= key.Revision && key.Revision > 0))
        {
            return;
        }

        var entry = new StoredKeyEntry(key, this);
        _byId[key.Id] = entry;
        if (KeyHash.TryParse(key.Hash, out var hash))
        {
            _byHash[KeyHash.From(hash)] = new Place(new KeySecret(hash, null), entry);
        }

        if (key.FormerUntil is { } until && KeyHash.TryParse(key.FormerHash, out var former))
        {
            _byHash[KeyHash.From(former)] = new Place(new KeySecret(former, until), entry);
        }

        foreach (var gone in (ReadOnlySpan<string?>)[before?.Key.Hash, before?.Key.FormerHash])
        {
            if (gone != key.Hash && gone != key.FormerHash && KeyHash.TryParse(gone, out var old))
            {
                _byHash.TryRemove(KeyHash.From(old), out _);
            }
        }

        if (before is not null && _byName.TryGetValue(before.Key.Name, out var named) && named.Key.Id == key.Id)
        {
            _byName.TryRemove(before.Key.Name, out _);
        }

        if (key.Revoked is null)
        {
            _byName[key.Name] = entry;
        }
    }

    private sealed class Place(KeySecret secret, StoredKeyEntry entry)
    {
        public KeySecret Secret => secret;

        public StoredKeyEntry Entry => entry;
    }
}
