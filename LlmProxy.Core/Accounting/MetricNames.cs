namespace LlmProxy.Core.Accounting;

/// <summary>
/// The names of all instruments: those of the OpenTelemetry conventions for generative AI, and our own. An instrument is
/// created in <see cref="ProxyMetrics"/> and nowhere else.
/// </summary>
internal static class MetricNames
{
    public const string TokenUsage = "gen_ai.client.token.usage";
    public const string RequestDuration = "gen_ai.server.request.duration";
    public const string TimeToFirstToken = "gen_ai.server.time_to_first_token";
    public const string TimePerOutputToken = "gen_ai.server.time_per_output_token";

    public const string OverheadDuration = "llmproxy.overhead.duration";
    public const string RequestsActive = "llmproxy.requests.active";
    public const string UpstreamAttempts = "llmproxy.upstream.attempts";
    public const string UpstreamFailovers = "llmproxy.upstream.failovers";
    public const string UpstreamHedges = "llmproxy.upstream.hedges";
    public const string UpstreamMirrored = "llmproxy.upstream.mirrored";
    public const string RequestsCoalesced = "llmproxy.requests.coalesced";
    public const string UpstreamState = "llmproxy.upstream.state";
    public const string UpstreamAuthFailures = "llmproxy.upstream.auth_failures";
    public const string StreamsTruncated = "llmproxy.streams.truncated";
    public const string StreamsMissingDone = "llmproxy.streams.missing_done";
    public const string StreamsDoneWithoutFinish = "llmproxy.streams.done_without_finish";
    public const string Cost = "llmproxy.cost";
    public const string BudgetRemaining = "llmproxy.budget.remaining";
    public const string RequestsRefused = "llmproxy.requests.refused";
    public const string ClientRetries = "llmproxy.client.retries";
    public const string ConfigReloadFailures = "llmproxy.config.reload_failures";
    public const string RecordsDropped = "llmproxy.records.dropped";
    public const string RecordsFailed = "llmproxy.records.failed";
    public const string LedgerWaiting = "llmproxy.ledger.waiting";
    public const string LedgerLost = "llmproxy.ledger.lost";
    public const string LedgerDropped = "llmproxy.ledger.dropped";
    public const string LedgerRefused = "llmproxy.ledger.refused";

    /// <summary>Every name above.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        TokenUsage, RequestDuration, TimeToFirstToken, TimePerOutputToken,
        OverheadDuration, RequestsActive, UpstreamAttempts, UpstreamFailovers, UpstreamHedges, UpstreamMirrored,
        RequestsCoalesced, UpstreamState, UpstreamAuthFailures,
        StreamsTruncated, StreamsMissingDone, StreamsDoneWithoutFinish, Cost, BudgetRemaining, RequestsRefused, ClientRetries,
        ConfigReloadFailures, RecordsDropped, RecordsFailed, LedgerWaiting, LedgerLost, LedgerDropped, LedgerRefused,
    ];

    /// <summary>Labels of metrics and tags of traces. Their values are configured names and fixed words, never request text.</summary>
    internal static class Label
    {
        public const string Operation = "gen_ai.operation.name";
        public const string Provider = "gen_ai.provider.name";
        public const string RequestModel = "gen_ai.request.model";
        public const string ResponseModel = "gen_ai.response.model";
        public const string TokenType = "gen_ai.token.type";
        public const string ErrorType = "error.type";
        public const string Upstream = "llmproxy.upstream";
        public const string Group = "llmproxy.group";
        public const string Window = "llmproxy.window";
        public const string UsageSource = "llmproxy.usage.source";

        public const string Stream = "gen_ai.request.stream";
        public const string InputTokens = "gen_ai.usage.input_tokens";
        public const string OutputTokens = "gen_ai.usage.output_tokens";
        public const string Status = "http.response.status_code";
        public const string RequestId = "llmproxy.request.id";
        public const string Attempts = "llmproxy.attempts";
    }
}
