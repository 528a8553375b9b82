using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core;

/// <summary>Changes of groups.</summary>
public sealed partial class LlmProxyKeys
{
    /// <summary>Makes a group.</summary>
    /// <param name="name">As keys will name it; different from every group in the configuration.</param>
    /// <param name="settings">A JSON object with the members that a group has in the configuration, without references to the environment.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<LlmProxyKeyChange> CreateGroupAsync(string name, string settings = "{}", CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return SaveGroupAsync(name, settings, null, mustExist: false, cancellationToken);
    }

    /// <summary>Puts other settings in the place of all that a group has.</summary>
    /// <param name="name">The group.</param>
    /// <param name="settings">As for <see cref="CreateGroupAsync"/>.</param>
    /// <param name="revision">As for <see cref="ChangeAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<LlmProxyKeyChange> ChangeGroupAsync(string name, string settings, long? revision = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return SaveGroupAsync(name, settings, revision, mustExist: true, cancellationToken);
    }

    /// <summary>Removes a group that no key is in any more; what it has spent stays.</summary>
    public Task<LlmProxyKeyChange> RemoveGroupAsync(string name, CancellationToken cancellationToken = default) =>
        SaveGroupAsync(name, null, null, mustExist: true, cancellationToken);

    /// <param name="name">The group.</param>
    /// <param name="settings">Null: it is removed.</param>
    /// <param name="revision">That it must have; null: whichever.</param>
    /// <param name="mustExist">Else it must not.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    private async Task<LlmProxyKeyChange> SaveGroupAsync(string name, string? settings, long? revision, bool mustExist, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(name);
        try
        {
            for (var i = 0; i < MostTries; i++)
            {
                var before = Stored.FindGroupRow(name);
                if (WhyNot(name, before, settings, revision, mustExist) is { } refused)
                {
                    return refused;
                }

                var next = (before ?? new StoredGroup { Name = name }) with { Settings = settings is null ? before!.Settings : StoredSettings.Rewrite(settings, []), Removed = settings is null };
                var isSaved = await _store!.SaveAsync(next, cancellationToken);
                await SettleAsync(isSaved, () => new KeyStoreChanges(0, [], [next with { Revision = 0 }]), cancellationToken);
                if (isSaved)
                {
                    return new LlmProxyKeyChange { Outcome = LlmProxyKeyOutcome.Done, Group = settings is null ? null : FindGroup(name) };
                }
            }

            return Refused(LlmProxyKeyOutcome.Conflict, "", "somebody else changes this group at the same time. Try again.");
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return Unavailable(e);
        }
    }

    private LlmProxyKeyChange? WhyNot(string name, StoredGroup? before, string? settings, long? revision, bool mustExist)
    {
        var options = Current.Options;
        if (options.Groups.ContainsKey(name))
        {
            return Refused(
                mustExist ? LlmProxyKeyOutcome.NotStored : LlmProxyKeyOutcome.Conflict, mustExist ? "" : "Name",
                $"the group {Problems.Quote(name)} stands in the configuration. {(mustExist ? "Change it there." : "Give this one another name.")}");
        }

        if (!HasStore)
        {
            return NoStore();
        }

        var exists = before is { Removed: false };
        if (mustExist && !exists)
        {
            return Refused(LlmProxyKeyOutcome.NotFound, "", $"there is no group {Problems.Quote(name)}.");
        }

        if (!mustExist && exists)
        {
            return Refused(LlmProxyKeyOutcome.Conflict, "Name", "is taken.");
        }

        if (revision is not null && revision != before!.Revision)
        {
            return Refused(LlmProxyKeyOutcome.Conflict, "Revision", $"{revision} is not the one of now, {before.Revision}: somebody has changed the group meanwhile.");
        }

        if (settings is null)
        {
            var keys = Stored.Keys.Count(key => key.Group == name && key.Revoked is null);
            return keys == 0 ? null : Refused(LlmProxyKeyOutcome.Conflict, "", $"{keys} {(keys == 1 ? "key is" : "keys are")} in the group. Revoke them, or put them into another, first.");
        }

        var found = new Problems();
        CallerRules.CheckName("Name", "a group", name, found);
        var isGood = StoredSettings.TryCheckGroup(settings, options, out _, out var problems);
        return isGood && !found.HasErrors ? null : new LlmProxyKeyChange { Outcome = LlmProxyKeyOutcome.Invalid, Problems = [.. found.InOrder, .. problems] };
    }
}
