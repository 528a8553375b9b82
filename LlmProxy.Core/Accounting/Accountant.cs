using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Accounting;

/// <summary>Opens the books on a request and closes them: metrics, the trace, and the record for the sinks.</summary>
internal sealed class Accountant(TimeProvider time, ProxyMetrics metrics, ProxyTracing tracing, RecordWriter writer, Settlement settlement)
{
    /// <summary>False while nobody listens to traces; then <see cref="Begin"/> has no use for the client's trace headers.</summary>
    public bool IsTracing => tracing.IsOn;

    /// <summary>Requests that have begun and not ended.</summary>
    public long Active => metrics.Active;

    /// <summary>Begins a request; <see cref="Complete"/> must follow on every way out.</summary>
    /// <param name="clientId">The client's own id, if it may be echoed.</param>
    /// <param name="traceParent">The value of <c>traceparent</c> as it came.</param>
    /// <param name="traceState">The value of <c>tracestate</c> as it came.</param>
    public Exchange Begin(string? clientId = null, string? traceParent = null, string? traceState = null)
    {
        var now = time.GetUtcNow();
        metrics.Begin();
        return new Exchange
        {
            Id = RequestIds.Create(now),
            ClientId = clientId,
            StartedAt = now,
            Started = time.GetTimestamp(),
            Activity = tracing.Start(traceParent, traceState),
        };
    }

    /// <summary>Somebody wants to know what it uses, even if its client does not.</summary>
    /// <param name="exchange">The request.</param>
    /// <param name="route">Where it may lead.</param>
    public bool WantsUsage(Exchange exchange, in RouteMatch route) => settlement.WantsUsage(exchange, route);

    /// <summary>The ledger may have no room for the row of another request, and that is not wanted.</summary>
    public bool RefusesNew => settlement.RefusesNew;

    /// <summary>
    /// Settles what an admitted request used, before the end of its answer goes out: when this returns, its row is safe. On other ways
    /// out <see cref="Complete"/> does it.
    /// </summary>
    public void Settle(Exchange exchange) => settlement.Settle(exchange);

    /// <summary>Ends a request, whose facts must be all written down by now. A second call does nothing.</summary>
    public void Complete(Exchange exchange)
    {
        if (exchange.IsComplete)
        {
            return;
        }

        exchange.IsComplete = true;
        try
        {
            settlement.Settle(exchange);
        }
        finally
        {
            End(exchange);
        }
    }

    private void End(Exchange exchange)
    {
        var ended = time.GetTimestamp();
        try
        {
            metrics.End(exchange, ended);
        }
        finally
        {
            if (writer.IsWanted)
            {
                writer.Enqueue(RecordFactory.Create(exchange, ended, time));
            }

            if (exchange.Activity is { } activity)
            {
                ProxyTracing.End(activity, exchange);
            }
        }
    }

    /// <summary>The part of the time so far that was ours: until the request first went upstream, or until now if it did not.</summary>
    public TimeSpan Overhead(Exchange exchange) => exchange.SentUpstream == 0
        ? time.GetElapsedTime(exchange.Started)
        : time.GetElapsedTime(exchange.Started, exchange.SentUpstream);

    /// <summary>The trace headers for the request upstream; none when tracing is off.</summary>
    public static TraceHeaders UpstreamTrace(Exchange exchange) => ProxyTracing.Headers(exchange.Activity);

    /// <summary>Counts an attempt that has ended; <paramref name="error"/> is its error's code, null if it committed.</summary>
    public void Attempted(string upstream, string? error = null) => metrics.Attempted(upstream, error);

    /// <summary>Counts that an upstream was given up for the next target.</summary>
    public void FailedOver(string upstream, string error) => metrics.FailedOver(upstream, error);

    /// <summary>Counts an attempt that was made beside a slow one and has ended; <paramref name="error"/> as for <see cref="Attempted"/>.</summary>
    public void Hedged(string upstream, string? error) => metrics.Hedged(upstream, error);

    /// <summary>Counts a copy for a mirror; <paramref name="error"/> is null if it was answered.</summary>
    public void Mirrored(string upstream, string? error) => metrics.Mirrored(upstream, error);

    /// <summary>Counts that an upstream refused the operator's credentials.</summary>
    public void AuthFailed(string upstream) => metrics.AuthFailed(upstream);

    /// <summary>Counts a configuration that could not replace the last good one.</summary>
    public void ReloadFailed() => metrics.ReloadFailed();

    /// <summary>Tells where the names of the configured upstreams, and whether they may be asked, are to be had at each look at the metrics.</summary>
    public void ObserveUpstreams(Func<IEnumerable<(string Name, bool IsUp)>> upstreams) => metrics.ObserveUpstreams(upstreams);
}
