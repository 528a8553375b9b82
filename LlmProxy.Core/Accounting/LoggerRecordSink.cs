using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// One line per request through the app's own logging, category <c>LlmProxy.Requests</c>, level Information. Always there, and
/// off by that category's filter: then it makes no record either.
/// </summary>
internal sealed partial class LoggerRecordSink(ILoggerFactory loggers) : IRecordSink
{
    public const string Category = "LlmProxy.Requests";

    private readonly ILogger _logger = loggers.CreateLogger(Category);

    public bool IsEnabled => _logger.IsEnabled(LogLevel.Information);

    public void Write(IReadOnlyList<ExchangeRecord> records)
    {
        foreach (var record in records)
        {
            Log.Request(
                _logger, record.Operation, record.Model, record.Status, record.End, record.Blame, record.Duration.TotalMilliseconds,
                record.FirstEvent?.TotalMilliseconds, record.Overhead.TotalMilliseconds, record.Upstream, record.UpstreamModel,
                record.Attempts, record.InputTokens, record.CachedInputTokens, record.OutputTokens, record.UsageSource,
                record.RequestBytes, record.ResponseBytes, record.Caller, record.Group, record.Id, record.ClientId, record.TraceId);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information,
            "{Operation} {Model} {Status} {End} (blame {Blame}) in {DurationMs:0.0} ms, first event {FirstEventMs:0.0} ms, overhead "
            + "{OverheadMs:0.00} ms; upstream {Upstream} {UpstreamModel}, attempts {Attempts}; tokens {InputTokens} ({CachedInputTokens} "
            + "cached) in, {OutputTokens} out, from {UsageSource}; bytes {RequestBytes} in, {ResponseBytes} out; caller {Caller}, "
            + "group {Group}; id {RequestId}, client's {ClientRequestId}, trace {TraceId}",
            // The one caller asked before there was a record.
            SkipEnabledCheck = true)]
        public static partial void Request(
            ILogger logger, string? operation, string? model, int status, string end, string? blame, double durationMs,
            double? firstEventMs, double overheadMs, string? upstream, string? upstreamModel, int attempts, long? inputTokens,
            long? cachedInputTokens, long? outputTokens, string usageSource, long requestBytes, long responseBytes, string? caller,
            string? group, string requestId, string? clientRequestId, string? traceId);
    }
}
