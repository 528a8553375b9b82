using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Authentication;

/// <summary>Options of keys and groups in, <see cref="Caller"/> out; of one configuration.</summary>
/// <param name="options">Validated.</param>
/// <param name="resolve">The name that a model's alias stands for.</param>
internal sealed class CallerCompiler(LlmProxyOptions options, Func<string, string> resolve)
{
    private static readonly EachKeyOptions _nothing = new();

    /// <summary>A group, of the configuration or a store.</summary>
    public CompiledGroup Compile(string name, GroupOptions group) => new(
        name, group, ListOf(group.Models), OperationsOf(group.Endpoints), [.. group.UpstreamTags], TimeZones.Of(group.TimeZone, options.TimeZone));

    /// <summary>The caller of a key.</summary>
    /// <param name="id">In records.</param>
    /// <param name="name">For people.</param>
    /// <param name="key">What it says.</param>
    /// <param name="group">Its group; null: none.</param>
    /// <param name="expires">When it ends; null: never.</param>
    public Caller Compile(string id, string name, KeyOptions key, CompiledGroup? group, DateTimeOffset? expires) =>
        new(id, group?.Name, [.. group?.Models ?? [], .. ListOf(key.Models)], key.Debug, [.. group?.Tags ?? [], .. key.UpstreamTags])
        {
            Name = name,
            Own = Own(key, group?.Options),
            Pool = group?.Options,
            Zone = TimeZones.Of(key.TimeZone, group?.Options.TimeZone, options.TimeZone),
            PoolZone = group?.Zone ?? TimeZoneInfo.Utc,
            Operations = OperationsOf(key.Endpoints) & (group?.Operations ?? (Operations)~0),
            Expires = expires,
            Refusal = key.Disabled ? ProxyErrors.KeyDisabled : null,
        };

    /// <summary>The caller for a user of the host app.</summary>
    public Caller Compile(string user, CompiledGroup? group) => new(user, group?.Name, group?.Models ?? [], debug: false, group?.Tags)
    {
        Own = group?.Options.EachKey ?? _nothing,
        Pool = group?.Options,
        Zone = TimeZones.Of(group?.Options.TimeZone, options.TimeZone),
        PoolZone = group?.Zone ?? TimeZoneInfo.Utc,
        Operations = group?.Operations ?? (Operations)~0,
    };

    // Member by member and window by window: a key with a day's budget of its own still has the month's of its group.
    private static EachKeyOptions Own(KeyOptions key, GroupOptions? group)
    {
        var each = group?.EachKey ?? _nothing;
        return new EachKeyOptions
        {
            RequestsPerMinute = key.RequestsPerMinute ?? each.RequestsPerMinute,
            TokensPerMinute = key.TokensPerMinute ?? each.TokensPerMinute,
            Concurrent = key.Concurrent ?? each.Concurrent,
            Reserve = key.Reserve ?? each.Reserve ?? group?.Reserve,
            Budget = key.Budget is null ? each.Budget
                : each.Budget is null ? key.Budget
                : new BudgetOptions { Day = key.Budget.Day ?? each.Budget.Day, Month = key.Budget.Month ?? each.Budget.Month, Total = key.Budget.Total ?? each.Budget.Total },
        };
    }

    private ModelAllowance[] ListOf(IList<string>? models) => models is null ? [] : [new ModelAllowance(models, resolve)];

    private static Operations OperationsOf(IList<string>? names)
    {
        if (names is null)
        {
            return (Operations)~0;
        }

        var operations = Operations.None;
        foreach (var row in EndpointTable.Rows.Where(row => names.Contains(row.Name)))
        {
            // Whoever sends messages counts their tokens before.
            operations |= row.Operation == Operations.Messages ? Operations.Messages | Operations.CountTokens : row.Operation;
        }

        return operations;
    }
}

/// <summary>What the callers of a group have in common.</summary>
internal sealed record CompiledGroup(string Name, GroupOptions Options, ModelAllowance[] Models, Operations Operations, string[] Tags, TimeZoneInfo Zone);
