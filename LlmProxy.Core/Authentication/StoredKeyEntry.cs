using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Authentication;

/// <summary>A key of the store as it is in one revision, and what the configuration in force makes of it.</summary>
internal sealed class StoredKeyEntry(StoredKey key, StoredKeys owner)
{
    private volatile Compiled? _compiled;

    public StoredKey Key => key;

    /// <summary>The one caller of all its requests, as long as neither the configuration nor the groups of the store change.</summary>
    public Caller Caller(KeyRing ring, CallerCompiler compiler, Func<string, CompiledGroup?> findGroup)
    {
        // Made at its first use: of a hundred thousand keys most are asleep, and a reload must not wait for them.
        var groups = owner.GroupsVersion;
        if (_compiled is { } known && known.Ring == ring && known.Groups == groups)
        {
            return known.Caller;
        }

        var caller = Compile(compiler, findGroup);
        _compiled = new Compiled(ring, groups, caller);
        return caller;
    }

    private Caller Compile(CallerCompiler compiler, Func<string, CompiledGroup?> findGroup)
    {
        if (key.Revoked is not null)
        {
            return Refused(ProxyErrors.KeyRevoked);
        }

        if (StoredSettings.TryReadKey(key.Settings, out var settings, out var problems) is false)
        {
            owner.Report?.Invoke(key, $"its settings cannot be used: {string.Join(' ', problems)}");
            return Refused(ProxyErrors.KeyUnusable);
        }

        CompiledGroup? group = null;
        if (key.Group is not null && (group = findGroup(key.Group)) is null)
        {
            owner.Report?.Invoke(key, $"its group \"{key.Group}\" does not exist");
            return Refused(ProxyErrors.GroupGone(DisplayText.Name(key.Group)));
        }

        return compiler.Compile(key.Id, key.Name, settings!, group, key.Expires);
    }

    private Caller Refused(ProxyError why) => new(key.Id, key.Group, [], debug: false) { Name = key.Name, Refusal = why };

    private sealed record Compiled(KeyRing Ring, long Groups, Caller Caller);
}

/// <summary>A group of the store as it is in one revision.</summary>
internal sealed class StoredGroupEntry(StoredGroup group, StoredKeys owner)
{
    private volatile Made? _made;

    public StoredGroup Group => group;

    /// <summary>What a configuration makes of it; null if its settings cannot be used.</summary>
    public CompiledGroup? Compiled(KeyRing ring, CallerCompiler compiler)
    {
        if (_made is { } known && known.Ring == ring)
        {
            return known.Group;
        }

        CompiledGroup? compiled = null;
        if (StoredSettings.TryReadGroup(group.Settings, out var settings, out var problems))
        {
            compiled = compiler.Compile(group.Name, settings!);
        }
        else
        {
            owner.ReportGroup?.Invoke(group, $"its settings cannot be used: {string.Join(' ', problems)}");
        }

        _made = new Made(ring, compiled);
        return compiled;
    }

    private sealed record Made(KeyRing Ring, CompiledGroup? Group);
}
