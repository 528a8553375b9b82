using System.Globalization;

namespace LlmProxy.Core.Accounting;

/// <summary>What the ledger keeps of one admitted request. Holds no prompt, no answer and no secret.</summary>
public sealed record LedgerRow
{
    /// <summary>Our id of the request (<see cref="ExchangeRecord.Id"/>), which makes a row unique. Never the client's.</summary>
    public required string Id { get; init; }

    /// <summary>The id the client gave it, if that may be echoed.</summary>
    public string? ClientId { get; init; }

    /// <summary>When it began, UTC.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>Until its answer was whole, or had to end.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>To the first event or byte of the answer; null if there was none.</summary>
    public TimeSpan? FirstEvent { get; init; }

    /// <summary>The operation, for example <c>chat</c>.</summary>
    public required string Operation { get; init; }

    /// <summary>The key's id: its name for keys of the configuration. A user's id where the app knows its callers itself.</summary>
    public required string Key { get; init; }

    /// <summary>The key's name then.</summary>
    public required string KeyName { get; init; }

    /// <summary>The group then.</summary>
    public string? Group { get; init; }

    /// <summary>The person behind a shared key; null where nobody is told apart, or when that has been erased.</summary>
    public string? EndUser { get; init; }

    /// <summary>The configured model (a name or pattern) that it resolved to.</summary>
    public required string Model { get; init; }

    /// <summary>The upstream that answered, or was last asked.</summary>
    public string? Upstream { get; init; }

    /// <summary>The model's name there.</summary>
    public string? UpstreamModel { get; init; }

    /// <summary>The status that the client got; 499 if it left before there was one.</summary>
    public int Status { get; init; }

    /// <summary>True for a streamed answer.</summary>
    public bool Streamed { get; init; }

    /// <summary>Why it ended: <c>ok</c>, the error's code, or <c>client_disconnect</c>.</summary>
    public required string End { get; init; }

    /// <summary>Tokens in, all of them; null where there is nothing to count.</summary>
    public long? InputTokens { get; init; }

    /// <summary>What of them was read from a cache.</summary>
    public long? CachedInputTokens { get; init; }

    /// <summary>What of them was written to a cache.</summary>
    public long? CacheWriteTokens { get; init; }

    /// <summary>What of that is kept for an hour.</summary>
    public long? CacheWrite1hTokens { get; init; }

    /// <summary>Tokens out, reasoning included.</summary>
    public long? OutputTokens { get; init; }

    /// <summary>What of them was reasoning.</summary>
    public long? ReasoningTokens { get; init; }

    /// <summary>Where the counts are from: <c>upstream</c>, <c>estimate</c>, or <c>none</c> where nothing was used.</summary>
    public required string UsageSource { get; init; }

    /// <summary>The upstream's own usage object, as it wrote it; so that a wrong count or price can be put right. Null if it sent none.</summary>
    public string? RawUsage { get; init; }

    /// <summary>The service tier that the answer names.</summary>
    public string? ServiceTier { get; init; }

    /// <summary>What it costs its caller, US dollars; null: the model has no price.</summary>
    public decimal? Cost { get; init; }

    /// <summary>What attempts cost that did not become its answer (faster ones overtook them, or copies went to a mirror), US dollars; the operator's.</summary>
    public decimal OperatorCost { get; init; }

    /// <summary>The request whose call it shared, and which pays for it; its own cost is 0 then.</summary>
    public string? CoalescedWith { get; init; }

    /// <summary>Each time that an upstream was asked for it. Empty where the first answered.</summary>
    public IReadOnlyList<AttemptRecord> Tried { get; init; } = [];

    /// <summary>The day, in the key's time zone, of its admission: all of it is booked to that day.</summary>
    public DateOnly KeyDay { get; init; }

    /// <summary>The same in the group's time zone, for the group and its end users.</summary>
    public DateOnly GroupDay { get; init; }

    /// <summary>What it adds to whom: three windows each of its key, its group and its end user. Nothing where it has no cost.</summary>
    public IEnumerable<Spend> Charges() => Cost is not { } cost || cost == 0 ? [] : Charges(cost);

    /// <summary>The same for another cost, or a difference.</summary>
    public IEnumerable<Spend> Charges(decimal cost)
    {
        foreach (var window in Windows(KeyDay))
        {
            yield return new Spend("key/" + Key, window, cost);
        }

        if (Group is null)
        {
            yield break;
        }

        foreach (var window in Windows(GroupDay))
        {
            yield return new Spend("group/" + Group, window, cost);
            if (EndUser is not null)
            {
                yield return new Spend($"user/{Group}/{EndUser}", window, cost);
            }
        }
    }

    /// <summary>The windows that a day is in: <c>2026-11-25</c>, <c>2026-11</c>, <c>total</c>.</summary>
    public static string[] Windows(DateOnly day) =>
        [day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), day.ToString("yyyy-MM", CultureInfo.InvariantCulture), "total"];
}
