using LlmProxy.Core.Accounting;

namespace LlmProxy.Tests.Stores;

/// <summary>Rows of the ledger, with what a test does not care for filled in.</summary>
internal static class LedgerRows
{
    public static readonly DateTimeOffset Noon = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Text that has broken databases, terminals, tables and log lines elsewhere.</summary>
    public static readonly string[] Nasty =
    [
        "'; DROP TABLE llmproxy_requests; --", "\"", "''", "%", "_", "a%b_c\\", "\\", "$0 $1 @p :p ?", "{0}", "\u001b[31mred\u001b[0m", "line\nfeed\r\n", "\t",
        "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "\uFEFF", "\u202Eevil", "日本語 🦙", "e\u0301", "ﬀ", new string('x', 5000), " ", "null", "NULL", "user/a/b", "/",
    ];

    public static LedgerRow Row(string id, decimal? cost = 0.25m, string key = "key_1", string? group = "team", string? endUser = null, DateTimeOffset? started = null) => new()
    {
        Id = id,
        Started = started ?? Noon,
        Operation = "chat",
        Key = key,
        KeyName = key + " name",
        Group = group,
        EndUser = endUser,
        Model = "gpt-5",
        Upstream = "openai",
        UpstreamModel = "gpt-5-2026",
        Status = 200,
        End = "ok",
        InputTokens = 1000,
        CachedInputTokens = 400,
        CacheWriteTokens = 100,
        OutputTokens = 50,
        UsageSource = "upstream",
        Cost = cost,
        KeyDay = DateOnly.FromDateTime((started ?? Noon).UtcDateTime),
        GroupDay = DateOnly.FromDateTime((started ?? Noon).UtcDateTime),
    };

    /// <summary>A row in which nothing is left out.</summary>
    public static LedgerRow Full(string id, string text = "text") => new()
    {
        Id = id,
        ClientId = text,
        Started = Noon.AddTicks(1234560),
        Duration = TimeSpan.FromTicks(98765430),
        FirstEvent = TimeSpan.FromMilliseconds(12.345),
        Operation = text,
        Key = text,
        KeyName = text,
        Group = text,
        EndUser = text,
        Model = text,
        Upstream = text,
        UpstreamModel = text,
        Status = 499,
        Streamed = true,
        End = text,
        InputTokens = 1,
        CachedInputTokens = 2,
        CacheWriteTokens = 3,
        CacheWrite1hTokens = 4,
        OutputTokens = 5,
        ReasoningTokens = 6,
        UsageSource = text,
        RawUsage = text,
        ServiceTier = text,
        Cost = 1.2345678901m,
        OperatorCost = 0.0000000001m,
        CoalescedWith = text,
        Tried =
        [
            new AttemptRecord(text, text, text, TimeSpan.FromTicks(12340)) { InputTokens = 7, OutputTokens = 8 },
            new AttemptRecord("b", "c", "ok", TimeSpan.Zero),
        ],
        KeyDay = new DateOnly(2026, 11, 26),
        GroupDay = new DateOnly(2026, 11, 25),
    };
}
