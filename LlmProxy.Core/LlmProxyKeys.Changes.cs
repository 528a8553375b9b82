using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core;

/// <summary>Changes of keys.</summary>
public sealed partial class LlmProxyKeys
{
    private const int MostTries = 3;
    private const int TailLength = 4;

    private static readonly TimeSpan _longestOverlap = TimeSpan.FromDays(366);

    /// <summary>Makes a key. <see cref="LlmProxyKeyChange.Secret"/> is shown this once.</summary>
    /// <param name="name">For people; unique among the keys of the configuration and those of the store that are not revoked.</param>
    /// <param name="settings">A JSON object with the members that a key has in the configuration, but for <c>Hash</c> and <c>Key</c>, and without references to the environment.</param>
    /// <param name="cancellationToken">Ends the wait; whether the key was made is then not known.</param>
    public async Task<LlmProxyKeyChange> CreateAsync(string name, string settings = "{}", CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(settings);
        var secret = ApiKeys.Create();
        var added = await AddAsync([new NewKey(0, name, ApiKeys.Hash(secret), settings, secret[^TailLength..])], isImport: false, cancellationToken);
        return new LlmProxyKeyChange { Outcome = added.Outcome, Problems = added.Problems, Keys = added.Keys, Secret = added.Outcome == LlmProxyKeyOutcome.Done ? secret : null };
    }

    /// <summary>Puts other settings in the place of all that a key has.</summary>
    /// <param name="idOrName">As for <see cref="Find"/>.</param>
    /// <param name="settings">As for <see cref="CreateAsync"/>; what is not in it is as though it had never been set.</param>
    /// <param name="revision">That the change was made for; <see cref="LlmProxyKeyOutcome.Conflict"/> if it is another one now. Null: whichever.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<LlmProxyKeyChange> ChangeAsync(string idOrName, string settings, long? revision = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return UpdateAsync(idOrName, revision, key => TryApply(key, settings, out var next, out var problems) ? (next, problems) : (null, problems), cancellationToken);
    }

    /// <summary>Refuses a key for now, or no longer.</summary>
    public Task<LlmProxyKeyChange> SetDisabledAsync(string idOrName, bool isDisabled, CancellationToken cancellationToken = default) => UpdateAsync(
        idOrName, null,
        key => (key with { Settings = StoredSettings.Rewrite(key.Settings, ["Disabled"], isDisabled ? static json => json.WriteBoolean("Disabled"u8, true) : null) }, []),
        cancellationToken);

    /// <summary>Makes another secret for a key, whose id, settings and spend stay.</summary>
    /// <param name="idOrName">As for <see cref="Find"/>.</param>
    /// <param name="overlap">For how long the one before is accepted too, up to a year; zero: not at all. What an earlier rotation has left ends now.</param>
    /// <param name="cancellationToken">Ends the wait; which secret counts is then not known.</param>
    public async Task<LlmProxyKeyChange> RotateAsync(string idOrName, TimeSpan overlap, CancellationToken cancellationToken = default)
    {
        if (overlap < TimeSpan.Zero || overlap > _longestOverlap)
        {
            return Refused(LlmProxyKeyOutcome.Invalid, "Overlap", "is out of range: nothing to a year.");
        }

        var secret = ApiKeys.Create();
        var rotated = await UpdateAsync(
            idOrName, null,
            key => (key with
            {
                Hash = ApiKeys.Hash(secret),
                Tail = secret[^TailLength..],
                FormerHash = overlap > TimeSpan.Zero ? key.Hash : null,
                FormerUntil = overlap > TimeSpan.Zero ? _time.GetUtcNow() + overlap : null,
            }, []),
            cancellationToken);
        return new LlmProxyKeyChange { Outcome = rotated.Outcome, Problems = rotated.Problems, Keys = rotated.Keys, Secret = rotated.Outcome == LlmProxyKeyOutcome.Done ? secret : null };
    }

    /// <summary>Takes a key back for good: here at once, elsewhere within a second. Requests that run end as they would. Its name is free again, its spend stays.</summary>
    public Task<LlmProxyKeyChange> RevokeAsync(string idOrName, CancellationToken cancellationToken = default) =>
        UpdateAsync(idOrName, null, key => (key with { Revoked = _time.GetUtcNow(), FormerHash = null, FormerUntil = null }, []), cancellationToken);

    private async Task<LlmProxyKeyChange> UpdateAsync(
        string idOrName, long? revision, Func<StoredKey, (StoredKey? Next, IReadOnlyList<ConfigurationProblem> Problems)> change, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(idOrName);
        try
        {
            for (var i = 0; i < MostTries; i++)
            {
                if (FindStored(idOrName, out var refused) is not { } key)
                {
                    return refused!;
                }

                if (revision is not null && revision != key.Revision)
                {
                    return Refused(LlmProxyKeyOutcome.Conflict, "Revision", $"{revision} is not the one of now, {key.Revision}: somebody has changed the key meanwhile.");
                }

                var (next, problems) = change(key);
                if (next is null)
                {
                    return new LlmProxyKeyChange { Outcome = LlmProxyKeyOutcome.Invalid, Problems = problems };
                }

                if (await TrySaveAsync([next], cancellationToken))
                {
                    return new LlmProxyKeyChange { Outcome = LlmProxyKeyOutcome.Done, Problems = problems, Keys = [Find(key.Id)!] };
                }
            }

            return Refused(LlmProxyKeyOutcome.Conflict, "", "somebody else changes this key at the same time. Try again.");
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return Unavailable(e);
        }
    }

    /// <summary>Saves keys, and sees to it that what the store has is in force here.</summary>
    /// <returns>False if somebody else was faster, or has a name or a hash of theirs.</returns>
    private async Task<bool> TrySaveAsync(IReadOnlyList<StoredKey> rows, CancellationToken cancellationToken)
    {
        var isSaved = await _store!.SaveAsync(rows, cancellationToken);
        // It is saved: whoever asked for it must be told the secret that nobody else has.
        await SettleAsync(isSaved, () => new KeyStoreChanges(0, [.. rows.Select(static row => row with { Revision = 0 })], []), cancellationToken);
        return isSaved;
    }

    /// <summary>Reads what the store has now. Where that fails after a change that it took, the change counts as it was asked for; the store's own number for it comes with the next look.</summary>
    private async Task SettleAsync(bool isSaved, Func<KeyStoreChanges> saved, CancellationToken cancellationToken)
    {
        try
        {
            await _follower.RefreshAsync(cancellationToken);
        }
        catch (Exception e) when (isSaved)
        {
            Log.Unread(_logger, e);
            Stored.Apply(saved());
        }

        if (isSaved)
        {
            await _follower.KeepAsync(cancellationToken);
        }
    }

    private StoredKey? FindStored(string idOrName, out LlmProxyKeyChange? refused)
    {
        refused = null;
        if (Current.Options.Keys.ContainsKey(idOrName))
        {
            refused = Refused(LlmProxyKeyOutcome.NotStored, "", $"the key {Problems.Quote(idOrName)} stands in the configuration. Change it there.");
            return null;
        }

        if (Stored.FindKey(idOrName)?.Key is not { } key)
        {
            refused = HasStore
                ? Refused(LlmProxyKeyOutcome.NotFound, "", $"there is no key {Problems.Quote(idOrName)}.")
                : NoStore();
            return null;
        }

        if (key.Revoked is not null)
        {
            refused = Refused(LlmProxyKeyOutcome.Invalid, "", $"the key {Problems.Quote(idOrName)} was revoked, which is for good. Make a new one.");
            return null;
        }

        return key;
    }

    /// <summary>Reads settings as strictly as a configuration and puts them into a key.</summary>
    private bool TryApply(StoredKey key, string settings, out StoredKey next, out IReadOnlyList<ConfigurationProblem> problems)
    {
        next = key;
        var options = Current.Options;
        if (!StoredSettings.TryCheckKey(settings, options, Stored.Groups.Where(static g => !g.Removed).Select(static g => g.Name), out var read, out problems))
        {
            return false;
        }

        CallerEnds.Settle(read!, GroupOf(read!.Group, options), options);
        next = key with { Group = read.Group, Expires = read.Expires, Settings = StoredSettings.Rewrite(settings, ["Group", "Expires"]) };
        return true;
    }

    private GroupOptions? GroupOf(string? name, LlmProxyOptions options) =>
        name is null ? null
        : options.Groups.TryGetValue(name, out var group) ? group
        : Stored.FindGroup(name) is { } stored && StoredSettings.TryReadGroup(stored.Group.Settings, out var read, out _) ? read
        : null;

    private static LlmProxyKeyChange NoStore() => Refused(LlmProxyKeyOutcome.NotStored, "", "there is no store of keys: they stand in the configuration, and are changed there.");

    private static LlmProxyKeyChange Refused(LlmProxyKeyOutcome outcome, string path, string why) =>
        new() { Outcome = outcome, Problems = [new ConfigurationProblem(true, 0, path, why)] };

    private LlmProxyKeyChange Unavailable(Exception e)
    {
        Log.Failed(_logger, e);
        return Refused(LlmProxyKeyOutcome.Unavailable, "", "the store of keys cannot be asked at the moment. Look whether anything was changed, and try again.");
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "A change of keys or groups could not be brought to the store.")]
        public static partial void Failed(ILogger logger, Exception exception);

        [LoggerMessage(2, LogLevel.Warning, "A change of keys or groups is saved and counts here; what the store has made of it could not be read back yet.")]
        public static partial void Unread(ILogger logger, Exception exception);
    }
}
