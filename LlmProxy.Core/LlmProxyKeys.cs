using System.Globalization;
using System.Text.Json;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core;

/// <summary>
/// The API keys and groups of the configuration and of the <see cref="IKeyStore"/>, and changes of the latter: for an admin API, a
/// command line, or an app's own pages. Does not check who asks: that is for the page that calls it. Resolve it from DI.
/// </summary>
public sealed partial class LlmProxyKeys
{
    private readonly LlmProxySnapshots _snapshots;
    private readonly KeyStoreFollower _follower;
    private readonly IKeyStore? _store;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    internal LlmProxyKeys(LlmProxySnapshots snapshots, KeyStoreFollower follower, IKeyStore? store, TimeProvider time, ILogger<LlmProxyKeys> logger) =>
        (_snapshots, _follower, _store, _time, _logger) = (snapshots, follower, store, time, logger);

    /// <summary>There is a store, and keys and groups can be made.</summary>
    public bool HasStore => _store is not null;

    /// <summary>
    /// False while nothing is known of a store that there is: it could not be read since the start, and no file has kept what it held.
    /// Its keys are then answered 503 <c>auth_unavailable</c>; an instance that lives by them is not ready.
    /// </summary>
    public bool IsReady => !_follower.KnowsNothing;

    /// <summary>False while the store cannot be read. Keys that are known go on; others are answered 503 <c>auth_unavailable</c>.</summary>
    public bool IsCurrent => !Stored.IsOut;

    /// <summary>
    /// Reads the store now. For a program that looks at keys, or changes some, without serving anybody: an app that has started follows
    /// its store by itself. What is kept for a start without the store is written only after a change.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="Exception">Whatever the <see cref="IKeyStore"/> throws.</exception>
    public Task ReadStoreAsync(CancellationToken cancellationToken = default) => HasStore ? _follower.RefreshAsync(cancellationToken) : Task.CompletedTask;

    private LlmProxySnapshot Current => _snapshots.Current;

    private StoredKeys Stored => Current.Keys.Stored;

    /// <summary>Keys by their names. Each is put together as it is taken.</summary>
    /// <param name="group">Of this group only; null: of all, and of none.</param>
    /// <param name="withRevoked">Those that were revoked too.</param>
    /// <param name="after">Only those that come behind this one. With <c>Take</c>, a page.</param>
    public IEnumerable<LlmProxyKey> List(string? group = null, bool withRevoked = false, LlmProxyKey? after = null)
    {
        var snapshot = Current;
        var configured = snapshot.Options.Keys.Where(key => group is null || key.Value.Group == group).Select(key => (key.Key, Id: key.Key, Stored: (StoredKey?)null));
        var stored = Stored.Keys.Where(key => (group is null || key.Group == group) && (withRevoked || key.Revoked is null)).Select(key => (Key: key.Name, key.Id, Stored: (StoredKey?)key));
        return configured.Concat(stored).Where(key => after is null || IsBehind(key.Key, key.Id, after)).OrderBy(static key => key.Key, StringComparer.Ordinal).ThenBy(static key => key.Id, StringComparer.Ordinal)
            .Select(key => key.Stored is null ? OfConfiguration(snapshot, key.Key) : OfStore(snapshot, key.Stored));
    }

    private static bool IsBehind(string name, string id, LlmProxyKey after) =>
        string.CompareOrdinal(name, after.Name) is not 0 and var order ? order > 0 : string.CompareOrdinal(id, after.Id) > 0;

    /// <summary>How many keys are in groups that have any; not those that were revoked.</summary>
    internal Dictionary<string, int> CountByGroup() => Current.Options.Keys.Values.Select(static key => key.Group)
        .Concat(Stored.Keys.Where(static key => key.Revoked is null).Select(static key => key.Group))
        .OfType<string>().CountBy(static group => group, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);

    /// <summary>The key with this id or name; null if there is none. Of two with one name it is the one in the configuration; of those that were revoked only the id is asked for.</summary>
    public LlmProxyKey? Find(string idOrName)
    {
        ArgumentNullException.ThrowIfNull(idOrName);
        var snapshot = Current;
        return snapshot.Options.Keys.ContainsKey(idOrName) ? OfConfiguration(snapshot, idOrName)
            : Stored.FindKey(idOrName) is { } stored ? OfStore(snapshot, stored.Key)
            : null;
    }

    /// <summary>The models that a key may use: names, aliases and patterns of the configuration.</summary>
    /// <param name="idOrName">As for <see cref="Find"/>; empty for an unknown one.</param>
    public IReadOnlyList<string> ModelsOf(string idOrName)
    {
        var snapshot = Current;
        return snapshot.Keys.FindById(idOrName) is { Refusal: null } caller
            ? [.. snapshot.Routes.Names.Where(name => snapshot.Routes.TryResolve(name, caller, out var match) && match.Route.IsOpenTo(caller.UpstreamTags))]
            : [];
    }

    /// <summary>Groups by their names; not those that were removed.</summary>
    /// <param name="after">Only those whose names come behind this one. With <c>Take</c>, a page.</param>
    public IEnumerable<LlmProxyGroup> ListGroups(string? after = null)
    {
        var options = Current.Options;
        return options.Groups.Select(static group => Of(group.Key, group.Value))
            .Concat(Stored.Groups.Where(group => !group.Removed && !options.Groups.ContainsKey(group.Name)).Select(Of))
            .Where(group => after is null || string.CompareOrdinal(group.Name, after) > 0)
            .OrderBy(static group => group.Name, StringComparer.Ordinal);
    }

    /// <summary>The group with this name; null if there is none.</summary>
    public LlmProxyGroup? FindGroup(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Current.Options.Groups.TryGetValue(name, out var group) ? Of(name, group)
            : Stored.FindGroup(name) is { } stored ? Of(stored.Group)
            : null;
    }

    private static LlmProxyGroup Of(string name, GroupOptions group) => new() { Name = name, Settings = SettingsText.Of(group) };

    private static LlmProxyGroup Of(StoredGroup group) => new() { Name = group.Name, IsStored = true, Settings = group.Settings, Revision = group.Revision };

    private LlmProxyKey OfConfiguration(LlmProxySnapshot snapshot, string name)
    {
        var key = snapshot.Options.Keys[name];
        var caller = snapshot.Keys.FindById(name)!;
        return new LlmProxyKey
        {
            Id = name,
            Name = name,
            Group = key.Group,
            Status = StatusOf(caller),
            Expires = key.Expires,
            Settings = SettingsText.Of(key),
            Limits = caller.Own,
        };
    }

    private LlmProxyKey OfStore(LlmProxySnapshot snapshot, StoredKey key)
    {
        var caller = snapshot.Keys.Of(key.Id)!;
        return new LlmProxyKey
        {
            Id = key.Id,
            Name = key.Name,
            Tail = key.Tail,
            Group = key.Group,
            IsStored = true,
            Status = key.Revoked is not null ? LlmProxyKeyStatus.Revoked : StatusOf(caller),
            Created = key.Created,
            Expires = key.Expires,
            Revoked = key.Revoked,
            FormerUntil = key.FormerUntil > _time.GetUtcNow() ? key.FormerUntil : null,
            Settings = Whole(key),
            Limits = caller.Own,
            Revision = key.Revision,
        };
    }

    private LlmProxyKeyStatus StatusOf(Caller caller) => caller.RefusalAt(_time)?.Code switch
    {
        null => LlmProxyKeyStatus.Active,
        "key_disabled" => LlmProxyKeyStatus.Disabled,
        "key_expired" => LlmProxyKeyStatus.Expired,
        _ => LlmProxyKeyStatus.Unusable,
    };

    /// <summary>Settings with what is stored beside them.</summary>
    private static string Whole(StoredKey key)
    {
        try
        {
            return StoredSettings.Rewrite(key.Settings, ["Group", "Expires"], json =>
            {
                if (key.Group is not null)
                {
                    json.WriteString("Group"u8, key.Group);
                }

                if (key.Expires is { } end)
                {
                    json.WriteString("Expires"u8, end.UtcDateTime.ToString(SettingsText.Instant, CultureInfo.InvariantCulture));
                }
            });
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Whoever wrote it was not us; it is shown as it is.
            return key.Settings;
        }
    }
}
