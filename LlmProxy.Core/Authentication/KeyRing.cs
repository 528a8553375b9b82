using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Authentication;

/// <summary>All API keys of one configuration, by hash. Immutable.</summary>
internal sealed class KeyRing
{
    private const int LongestKey = 200;
    private const int RecentHeaders = 1024;

    private readonly Dictionary<KeyHash, (byte[] Hash, Caller Caller)> _callers = [];
    private readonly RecentHeader?[] _recent = new RecentHeader?[RecentHeaders];
    private readonly Dictionary<string, (ModelAllowance[] Lists, string[] Tags)> _groups = new(StringComparer.Ordinal);

    /// <param name="options">Validated.</param>
    /// <param name="resolve">The name that a model's alias stands for.</param>
    public KeyRing(LlmProxyOptions options, Func<string, string> resolve)
    {
        foreach (var (id, key) in options.Keys)
        {
            var hash = Convert.FromHexString((key.Hash ?? ApiKeys.Hash(key.Key!)).AsSpan("sha256:".Length));
            var caller = new Caller(
                id, key.Group, [.. ListsOf(options, resolve, key.Group), .. ListOf(resolve, key.Models)], key.Debug,
                [.. TagsOf(options, key.Group), .. key.UpstreamTags]);
            _callers.Add(KeyHash.From(hash), (hash, caller));
        }

        foreach (var group in options.Groups.Keys)
        {
            _groups.Add(group, ([.. ListsOf(options, resolve, group)], [.. TagsOf(options, group)]));
        }

        AllowsAnonymous = options.AllowAnonymous;
        Identity = options.HostIdentity;
        Anonymous = new Caller("anonymous", null, [], false);
    }

    public bool AllowsAnonymous { get; }

    public Caller Anonymous { get; }

    public HostIdentityOptions? Identity { get; }

    /// <summary>The callers of all keys.</summary>
    public IEnumerable<Caller> Callers => _callers.Values.Select(static entry => entry.Caller);

    /// <summary>The caller of a key, or null.</summary>
    public Caller? Find(ReadOnlySpan<char> key)
    {
        Span<byte> bytes = stackalloc byte[LongestKey];
        if (!IsWellFormed(key) || !Encoding.ASCII.TryGetBytes(key, bytes, out var length))
        {
            return null;
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..length], hash);
        return _callers.TryGetValue(KeyHash.From(hash), out var entry) && CryptographicOperations.FixedTimeEquals(hash, entry.Hash)
            ? entry.Caller
            : null;
    }

    /// <summary>
    /// The caller whose key this very string held before, or null: the server hands out the same string for each request of a
    /// connection whose header stays the same, and a hash costs more than the rest of the second stage together. Compared as an
    /// object and never by its characters, so it tells nobody's key by the time it takes; only strings with a valid key are
    /// known, a bounded number of them, and they go with the configuration.
    /// </summary>
    public Caller? Recall(string header) =>
        Volatile.Read(ref SlotOf(header, 0)) is { } recent && ReferenceEquals(recent.Header, header) ? recent.Caller
        : Volatile.Read(ref SlotOf(header, 1)) is { } other && ReferenceEquals(other.Header, header) ? other.Caller
        : null;

    /// <summary>Remembers that this string holds the key of that caller.</summary>
    public void Remember(string header, Caller caller)
    {
        // Two connections whose strings come to the same place would take it from each other with every request.
        var way = Volatile.Read(ref SlotOf(header, 0)) is null ? 0 : 1;
        Volatile.Write(ref SlotOf(header, way), new RecentHeader(header, caller));
    }

    /// <summary>The caller of the key with this id, for who asks on its behalf; null if there is none.</summary>
    public Caller? FindById(string id)
    {
        foreach (var (_, caller) in _callers.Values)
        {
            if (caller.Id == id)
            {
                return caller;
            }
        }

        return AllowsAnonymous && id == Anonymous.Id ? Anonymous : null;
    }

    /// <summary>The caller for a user of the host app; a claimed group that is not configured counts as none.</summary>
    public Caller ForUser(string id, string? claimedGroup)
    {
        var group = claimedGroup is not null && _groups.ContainsKey(claimedGroup) ? claimedGroup : Identity?.DefaultGroup;
        return group is null ? new Caller(id, null, [], debug: false) : new Caller(id, group, _groups[group].Lists, debug: false, _groups[group].Tags);
    }

    private ref RecentHeader? SlotOf(string header, int way) => ref _recent[(RuntimeHelpers.GetHashCode(header) + way) & (RecentHeaders - 1)];

    private static ModelAllowance[] ListsOf(LlmProxyOptions options, Func<string, string> resolve, string? group) =>
        group is null ? [] : ListOf(resolve, options.Groups[group].Models);

    private static IEnumerable<string> TagsOf(LlmProxyOptions options, string? group) => group is null ? [] : options.Groups[group].UpstreamTags;

    private static ModelAllowance[] ListOf(Func<string, string> resolve, IList<string>? models) =>
        models is null ? [] : [new ModelAllowance(models, resolve)];

    private static bool IsWellFormed(ReadOnlySpan<char> key) =>
        key.Length is > 0 and <= LongestKey && !key.ContainsAnyExceptInRange('!', '~');

    private sealed class RecentHeader(string header, Caller caller)
    {
        public string Header { get; } = header;

        public Caller Caller { get; } = caller;
    }
}

/// <summary>A SHA-256, as a key of a dictionary.</summary>
internal readonly record struct KeyHash(ulong A, ulong B, ulong C, ulong D)
{
    public static KeyHash From(ReadOnlySpan<byte> hash) => new(
        BitConverter.ToUInt64(hash), BitConverter.ToUInt64(hash[8..]), BitConverter.ToUInt64(hash[16..]), BitConverter.ToUInt64(hash[24..]));
}
