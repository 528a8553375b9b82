using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Authentication;

/// <summary>Who sends a request, and what they may use. One object per key, shared by all of its requests.</summary>
internal sealed class Caller(string id, string? group, ModelAllowance[] allowances, bool debug, string[]? upstreamTags = null)
{
    private static readonly EachKeyOptions _unlimited = new();

    public string Id { get; } = id;

    public string? Group { get; } = group;

    /// <summary>For people; the id, unless a store has given it one of its own.</summary>
    public string Name { get; init; } = id;

    /// <summary>What it may use by itself: what its key says, and where that says nothing what its group says of each key.</summary>
    public AllowanceOptions Own { get; init; } = _unlimited;

    /// <summary>What it shares with the other callers of its group; null where there is none.</summary>
    public GroupOptions? Pool { get; init; }

    /// <summary>Whose days and months its own budgets count.</summary>
    public TimeZoneInfo Zone { get; init; } = TimeZoneInfo.Utc;

    /// <summary>Whose days and months its group's budgets count.</summary>
    public TimeZoneInfo PoolZone { get; init; } = TimeZoneInfo.Utc;

    /// <summary>A place for what admission finds out about it once and needs with each request. Null until then.</summary>
    public object? Limits { get; set; }

    /// <summary>A place for what admission counts of it; beside its limits, so that the processor waits for both at once. Null until then.</summary>
    public object? Meter { get; set; }

    /// <summary>Answers to it say which upstream gave them.</summary>
    public bool Debug { get; } = debug;

    /// <summary>Tags that an upstream must carry to see its requests; mostly none.</summary>
    public string[] UpstreamTags { get; } = upstreamTags ?? [];

    /// <summary>Operations that it may use.</summary>
    public Operations Operations { get; init; } = (Operations)~0;

    /// <summary>From then on it is refused; null: never.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>Why it is refused whatever it asks for, though its key is one of ours; mostly null.</summary>
    public ProxyError? Refusal { get; init; }

    /// <summary>Why it is refused now; null if it is not.</summary>
    public ProxyError? RefusalAt(TimeProvider time) =>
        Refusal ?? (Expires is { } end && time.GetUtcNow() >= end ? ProxyErrors.KeyExpired(end) : null);

    /// <summary>May it use this model, named as it resolved? Every list that applies must hold it.</summary>
    public bool Allows(string resolved)
    {
        foreach (var allowance in allowances)
        {
            if (!allowance.Holds(resolved))
            {
                return false;
            }
        }

        return true;
    }
}
