namespace LlmProxy.Core.Accounting;

/// <summary>Which rows of the ledger, and how they are added up.</summary>
public sealed record UsageQuery
{
    /// <summary>Rows that began then or later; null: from the first.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Rows that began before then; null: to the last.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>Of these keys, by id or name. Empty: all.</summary>
    public IReadOnlyList<string> Keys { get; init; } = [];

    /// <summary>Of these groups. Empty: all.</summary>
    public IReadOnlyList<string> Groups { get; init; } = [];

    /// <summary>Of these models, as configured. Empty: all.</summary>
    public IReadOnlyList<string> Models { get; init; } = [];

    /// <summary>Of these upstreams. Empty: all.</summary>
    public IReadOnlyList<string> Upstreams { get; init; } = [];

    /// <summary>Of these end users. Empty: all.</summary>
    public IReadOnlyList<string> EndUsers { get; init; } = [];

    /// <summary>What one sum is for; in the order of the answer's columns. Empty: one for all.</summary>
    public IReadOnlyList<UsageKey> By { get; init; } = [];

    /// <summary>How long a bucket of <see cref="UsageKey.Time"/> is: an hour, a day, or a calendar month.</summary>
    public UsageBucket Bucket { get; init; } = UsageBucket.Day;

    /// <summary>At most so many rows or sums. Default 0: all.</summary>
    public int Limit { get; init; }
}

/// <summary>What rows are told apart by.</summary>
public enum UsageKey
{
    /// <summary><see cref="LedgerRow.KeyName"/>.</summary>
    Key,

    /// <summary><see cref="LedgerRow.Group"/>.</summary>
    Group,

    /// <summary><see cref="LedgerRow.EndUser"/>.</summary>
    EndUser,

    /// <summary><see cref="LedgerRow.Model"/>.</summary>
    Model,

    /// <summary><see cref="LedgerRow.Upstream"/>.</summary>
    Upstream,

    /// <summary>The beginning of the bucket that <see cref="LedgerRow.Started"/> is in, UTC: <c>2026-11-25T13:00:00Z</c>, of a day <c>2026-11-25T00:00:00Z</c>.</summary>
    Time,
}

/// <summary>How time is cut.</summary>
public enum UsageBucket
{
    /// <summary>By hours.</summary>
    Hour,

    /// <summary>By days.</summary>
    Day,

    /// <summary>By months.</summary>
    Month,
}

/// <summary>Some rows added up.</summary>
public sealed record UsageTotal
{
    /// <summary>One value for each of <see cref="UsageQuery.By"/>; null where rows have none.</summary>
    public required IReadOnlyList<string?> Key { get; init; }

    /// <summary>Rows.</summary>
    public long Requests { get; init; }

    /// <summary>Rows whose end is not <c>ok</c>.</summary>
    public long Failed { get; init; }

    /// <summary>Tokens in that were neither read from a cache nor written to one.</summary>
    public long Input { get; init; }

    /// <summary>Tokens in that were read from a cache.</summary>
    public long Cached { get; init; }

    /// <summary>Tokens in that were written to a cache.</summary>
    public long Written { get; init; }

    /// <summary>Tokens out.</summary>
    public long Output { get; init; }

    /// <summary>US dollars, of the rows that have a price.</summary>
    public decimal Cost { get; init; }

    /// <summary>US dollars that callers do not pay.</summary>
    public decimal OperatorCost { get; init; }

    /// <summary>Rows with tokens and without a price.</summary>
    public long Unpriced { get; init; }

    /// <summary>Rows whose tokens are an estimate.</summary>
    public long Estimated { get; init; }
}
