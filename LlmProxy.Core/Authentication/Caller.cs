using LlmProxy.Core.Configuration;

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

    /// <summary>Answers to it say which upstream gave them.</summary>
    public bool Debug { get; } = debug;

    /// <summary>Tags that an upstream must carry to see its requests; mostly none.</summary>
    public string[] UpstreamTags { get; } = upstreamTags ?? [];

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

/// <summary>A list of models that may be used: names, compared exactly, and patterns. An empty list holds nothing.</summary>
internal sealed class ModelAllowance
{
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly List<string> _prefixes = [];

    /// <param name="entries">As written in configuration.</param>
    /// <param name="resolve">The name that an alias stands for.</param>
    public ModelAllowance(IEnumerable<string> entries, Func<string, string> resolve)
    {
        foreach (var entry in entries)
        {
            // A pattern that is configured as a model is also known under its own name.
            _names.Add(resolve(entry));
            if (entry.EndsWith('*'))
            {
                _prefixes.Add(entry[..^1]);
            }
        }
    }

    public bool Holds(string resolved)
    {
        if (_names.Contains(resolved))
        {
            return true;
        }

        foreach (var prefix in _prefixes)
        {
            if (resolved.StartsWith(prefix, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }
}
