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

    public static object[] Values(LedgerRow row, IColumnTypes types) =>
    [
        Columns.Text(row.Id), Columns.Text(row.ClientId), types.Time(row.Started), Columns.Span(row.Duration), Columns.Span(row.FirstEvent),
        Columns.Text(row.Operation), Columns.Text(row.Key), Columns.Text(row.KeyName), Columns.Text(row.Group), Columns.Text(row.EndUser),
        Columns.Text(row.Model), Columns.Text(row.Upstream), Columns.Text(row.UpstreamModel), (long)row.Status, types.Flag(row.Streamed), Columns.Text(row.End),
        Tokens(row.InputTokens), Tokens(row.CachedInputTokens), Tokens(row.CacheWriteTokens), Tokens(row.CacheWrite1hTokens),
        Tokens(row.OutputTokens), Tokens(row.ReasoningTokens),
        Columns.Text(row.UsageSource), Columns.Text(row.RawUsage), Columns.Text(row.ServiceTier),
        row.Cost is { } cost ? types.Money(cost) : DBNull.Value, types.Money(row.OperatorCost),
        Columns.Text(row.CoalescedWith), Columns.Text(AttemptsJson.Write(row.Tried)), Columns.Day(row.KeyDay), Columns.Day(row.GroupDay),
    ];

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

    private static object Tokens(long? tokens) => tokens is { } some ? Math.Clamp(some, 0, MostTokens) : DBNull.Value;
}
