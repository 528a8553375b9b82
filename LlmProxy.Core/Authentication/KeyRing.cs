using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Authentication;

/// <summary>All API keys, as one configuration has them: its own, which do not change, and those of the store, which do.</summary>
internal sealed class KeyRing
{
    private const int LongestKey = 200;
    private const int RecentHeaders = 1024;
    private const int MostUsers = 10_000;

    private readonly Dictionary<KeyHash, (KeySecret Secret, Caller Caller)> _callers = [];
    private readonly Dictionary<string, CompiledGroup> _groups = new(StringComparer.Ordinal);
    private readonly RecentHeader?[] _recent = new RecentHeader?[RecentHeaders];
    private readonly ConcurrentDictionary<(string Id, string? Group), Caller> _users = new();
    private readonly CallerCompiler _compiler;

    /// <param name="options">Validated.</param>
    /// <param name="resolve">The name that a model's alias stands for.</param>
    /// <param name="stored">Keys of the store; null: there is none.</param>
    public KeyRing(LlmProxyOptions options, Func<string, string> resolve, StoredKeys? stored = null)
    {
        _compiler = new CallerCompiler(options, resolve);
        Stored = stored ?? new StoredKeys();
        foreach (var (name, group) in options.Groups)
        {
            _groups.Add(name, _compiler.Compile(name, group));
        }

        foreach (var (id, key) in options.Keys)
        {
            _ = KeyHash.TryParse(key.Hash ?? ApiKeys.Hash(key.Key!), out var hash);
            var caller = _compiler.Compile(id, id, key, key.Group is null ? null : _groups[key.Group], key.Expires);
            _callers.Add(KeyHash.From(hash), (new KeySecret(hash, null), caller));
        }

        AllowsAnonymous = options.AllowAnonymous;
        Identity = options.HostIdentity;
        Anonymous = new Caller("anonymous", null, [], false);
    }

    public bool AllowsAnonymous { get; }

    public Caller Anonymous { get; }

    public HostIdentityOptions? Identity { get; }

    /// <summary>The keys of the store, which all configurations share.</summary>
    public StoredKeys Stored { get; }

    /// <summary>The callers of all keys in the configuration.</summary>
    public IEnumerable<Caller> Callers => _callers.Values.Select(static entry => entry.Caller);

    /// <summary>Where the store has changed since, <see cref="Recall(string)"/> knows nothing any more.</summary>
    public long Version => Stored.Version;

    /// <summary>The caller of a key, or null. It may be one that is refused.</summary>
    /// <param name="key">As it was sent.</param>
    /// <param name="time">Ends what a key was before its rotation.</param>
    /// <param name="secret">What was found by; null if it is nobody's.</param>
    public Caller? Find(ReadOnlySpan<char> key, TimeProvider time, out KeySecret? secret)
    {
        secret = null;
        Span<byte> bytes = stackalloc byte[LongestKey];
        if (!IsWellFormed(key) || !Encoding.ASCII.TryGetBytes(key, bytes, out var length))
        {
            return null;
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..length], hash);
        var at = KeyHash.From(hash);
        if (_callers.TryGetValue(at, out var entry))
        {
            secret = entry.Secret;
            return CryptographicOperations.FixedTimeEquals(hash, secret.Hash) ? entry.Caller : null;
        }

        return Stored.Find(at, hash, time, out secret) is { } stored ? Of(stored) : null;
    }

    /// <summary>
    /// Would what let a request in still do so? It would, too, if its key cannot be used for a reason that is not its own, such as a
    /// group that is gone.
    /// </summary>
    /// <param name="hold">Of this generation or an earlier one; up to date afterwards.</param>
    /// <param name="state">Of all keys, from before the look.</param>
    /// <param name="time">Ends keys.</param>
    public bool Holds(ref KeyHold hold, long state, TimeProvider time)
    {
        var hash = hold.Secret!.Hash;
        var at = KeyHash.From(hash);
        var (secret, caller) = _callers.TryGetValue(at, out var entry) ? entry
            : Stored.FindSettled(at, hash, time, out var found) is { } stored ? (found, Of(stored))
            : default((KeySecret?, Caller?));
        if (caller is null || caller.RefusalAt(time) is { Status: 401 })
        {
            return false;
        }

        hold.Renew(secret, caller.Expires, state);
        return true;
    }

    /// <summary>
    /// The caller whose key this very string held before, or null: the server hands out the same string for each request of a
    /// connection whose header stays the same, and a hash costs more than the rest of the second stage together. Compared as an
    /// object and never by its characters, so it tells nobody's key by the time it takes; only strings with a valid key are
    /// known, a bounded number of them, and they go with the configuration and with each change in the store.
    /// </summary>
    public Caller? Recall(string header) => Recall(header, out _);

    /// <summary>The same, and what its key was found by.</summary>
    public Caller? Recall(string header, out KeySecret? secret)
    {
        var recent = Find(header, 0) ?? Find(header, 1);
        secret = recent?.Secret;
        return recent?.Caller;
    }

    /// <summary>Remembers that this string holds the key of that caller.</summary>
    /// <param name="header">The string.</param>
    /// <param name="caller">Whose key it holds.</param>
    /// <param name="secret">What it was found by.</param>
    /// <param name="version">From before that was found out, so that a change in between is not missed.</param>
    public void Remember(string header, Caller caller, KeySecret secret, long version)
    {
        // Two connections whose strings come to the same place would take it from each other with every request.
        var way = Volatile.Read(ref SlotOf(header, 0)) is { } first && first.Version == version ? 1 : 0;
        Volatile.Write(ref SlotOf(header, way), new RecentHeader(header, caller, secret, version));
    }

    /// <summary>The caller of the key with this id or name, for who asks on its behalf; null if there is none. Those of the configuration go first.</summary>
    public Caller? FindById(string id)
    {
        foreach (var (_, caller) in _callers.Values)
        {
            if (caller.Id == id)
            {
                return caller;
            }
        }

        return Stored.FindKey(id) is { } stored ? Of(stored) : AllowsAnonymous && id == Anonymous.Id ? Anonymous : null;
    }

    /// <summary>The caller of the stored key with this id; null if there is none.</summary>
    public Caller? Of(string id) => Stored.FindKey(id) is { } stored ? Of(stored) : null;

    /// <summary>The key of the configuration that has this hash; null if none has.</summary>
    public Caller? OwnerOf(byte[] hash) => _callers.TryGetValue(KeyHash.From(hash), out var entry) ? entry.Caller : null;

    /// <summary>The caller for a user of the host app; a claimed group that does not exist counts as none.</summary>
    public Caller ForUser(string id, string? claimedGroup)
    {
        var group = (claimedGroup is null ? null : FindGroup(claimedGroup)) ?? (Identity?.DefaultGroup is { } given ? FindGroup(given) : null);
        if (_users.TryGetValue((id, group?.Name), out var known) && known.Pool == group?.Options)
        {
            return known;
        }

        if (_users.Count >= MostUsers)
        {
            _users.Clear();
        }

        return _users[(id, group?.Name)] = _compiler.Compile(id, group);
    }

    /// <summary>A group of the configuration, or else of the store.</summary>
    public CompiledGroup? FindGroup(string name) =>
        _groups.TryGetValue(name, out var group) ? group : Stored.FindGroup(name)?.Compiled(this, _compiler);

    private Caller Of(StoredKeyEntry stored) => stored.Caller(this, _compiler, FindGroup);

    private RecentHeader? Find(string header, int way) =>
        Volatile.Read(ref SlotOf(header, way)) is { } recent && ReferenceEquals(recent.Header, header) && recent.Version == Version ? recent : null;

    private ref RecentHeader? SlotOf(string header, int way) => ref _recent[(RuntimeHelpers.GetHashCode(header) + way) & (RecentHeaders - 1)];

    private static bool IsWellFormed(ReadOnlySpan<char> key) =>
        key.Length is > 0 and <= LongestKey && !key.ContainsAnyExceptInRange('!', '~');

    private sealed class RecentHeader(string header, Caller caller, KeySecret secret, long version)
    {
        public string Header { get; } = header;

        public Caller Caller { get; } = caller;

        public KeySecret Secret { get; } = secret;

        public long Version { get; } = version;
    }
}
