using System.Data.Common;
using LlmProxy.Core.Accounting;

namespace LlmProxy.Host.Stores;

/// <summary>A row of the ledger as columns, in the order of <see cref="Names"/>.</summary>
internal static class LedgerColumns
{
    /// <summary>More tokens than any request has; what an upstream makes up beyond that would overflow a sum.</summary>
    private const long MostTokens = 1_000_000_000_000;

    /// <summary>Named one by one wherever rows are read or written: a newer version may have added others.</summary>
    public static readonly string[] Names =
    [
        "id", "client_id", "started", "duration_us", "first_event_us", "operation", "key_id", "key_name", "group_name", "end_user",
        "model", "upstream", "upstream_model", "status", "streamed", "ended",
        "input_tokens", "cached_input_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens", "reasoning_tokens",
        "usage_source", "raw_usage", "service_tier", "cost", "operator_cost", "coalesced_with", "tried", "key_day", "group_day",
    ];

    public static readonly string List = string.Join(", ", Names);

    /// <summary>Writes a row.</summary>
    /// <param name="row">The row.</param>
    /// <param name="to">Gets as many values as there are <see cref="Names"/>. Structs, so that the runtime makes this anew for each of them.</param>
    public static void Write<T>(LedgerRow row, T to)
        where T : struct, IColumnTarget
    {
        to.Text(row.Id);
        to.Text(row.ClientId);
        to.Time(row.Started);
        to.Number(Columns.Microseconds(row.Duration));
        to.Number(Columns.Microseconds(row.FirstEvent));
        to.Text(row.Operation);
        to.Text(row.Key);
        to.Text(row.KeyName);
        to.Text(row.Group);
        to.Text(row.EndUser);
        to.Text(row.Model);
        to.Text(row.Upstream);
        to.Text(row.UpstreamModel);
        to.Number(row.Status);
        to.Flag(row.Streamed);
        to.Text(row.End);
        to.Number(Tokens(row.InputTokens));
        to.Number(Tokens(row.CachedInputTokens));
        to.Number(Tokens(row.CacheWriteTokens));
        to.Number(Tokens(row.CacheWrite1hTokens));
        to.Number(Tokens(row.OutputTokens));
        to.Number(Tokens(row.ReasoningTokens));
        to.Text(row.UsageSource);
        to.Text(row.RawUsage);
        to.Text(row.ServiceTier);
        to.Money(row.Cost);
        to.Money(row.OperatorCost);
        to.Text(row.CoalescedWith);
        to.Text(AttemptsJson.Write(row.Tried));
        to.Text(Columns.Day(row.KeyDay));
        to.Text(Columns.Day(row.GroupDay));
    }

    public static LedgerRow Read(DbDataReader row, IColumnTypes types) => new()
    {
        Id = row.GetString(0),
        ClientId = Columns.ReadText(row, 1),
        Started = types.ReadTime(row, 2),
        Duration = Columns.ReadSpan(row, 3) ?? TimeSpan.Zero,
        FirstEvent = Columns.ReadSpan(row, 4),
        Operation = row.GetString(5),
        Key = row.GetString(6),
        KeyName = row.GetString(7),
        Group = Columns.ReadText(row, 8),
        EndUser = Columns.ReadText(row, 9),
        Model = row.GetString(10),
        Upstream = Columns.ReadText(row, 11),
        UpstreamModel = Columns.ReadText(row, 12),
        Status = (int)row.GetInt64(13),
        Streamed = types.ReadFlag(row, 14),
        End = row.GetString(15),
        InputTokens = Columns.ReadNumber(row, 16),
        CachedInputTokens = Columns.ReadNumber(row, 17),
        CacheWriteTokens = Columns.ReadNumber(row, 18),
        CacheWrite1hTokens = Columns.ReadNumber(row, 19),
        OutputTokens = Columns.ReadNumber(row, 20),
        ReasoningTokens = Columns.ReadNumber(row, 21),
        UsageSource = row.GetString(22),
        RawUsage = Columns.ReadText(row, 23),
        ServiceTier = Columns.ReadText(row, 24),
        Cost = row.IsDBNull(25) ? null : types.ReadMoney(row, 25),
        OperatorCost = types.ReadMoney(row, 26),
        CoalescedWith = Columns.ReadText(row, 27),
        Tried = AttemptsJson.Read(Columns.ReadText(row, 28)),
        KeyDay = Columns.ReadDay(row, 29),
        GroupDay = Columns.ReadDay(row, 30),
    };

    private static long? Tokens(long? tokens) => tokens is { } some ? Math.Clamp(some, 0, MostTokens) : null;
}
