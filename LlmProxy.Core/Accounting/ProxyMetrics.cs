using System.Diagnostics.Metrics;
using Label = LlmProxy.Core.Accounting.MetricNames.Label;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// All instruments. The histograms cost nothing until somebody listens. Everything else is counted here and read when
/// somebody looks, so that each name has a value from the first scrape on and no listener comes too late.
/// </summary>
internal sealed class ProxyMetrics
{
    private const long NanosPerDollar = 1_000_000_000;
    // More than any request costs: what the counts of a broken upstream come to must not end the sum of all others.
    private const decimal MostDollars = 1_000_000;

    private readonly TimeProvider _time;
    private readonly Histogram<long> _tokens;
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _firstToken;
    private readonly Histogram<double> _perToken;
    private readonly Histogram<double> _overhead;

    private readonly RequestLabelSets _labels = new();

    private readonly Tally _attempts = new(Label.Upstream, Label.ErrorType);
    private readonly Tally _failovers = new(Label.Upstream, Label.ErrorType);
    private readonly Tally _hedges = new(Label.Upstream, Label.ErrorType);
    private readonly Tally _mirrored = new(Label.Upstream, Label.ErrorType);
    private readonly Tally _coalesced = new(Label.RequestModel);
    private readonly Tally _authFailures = new(Label.Upstream);
    private readonly Tally _truncated = new(Label.Upstream);
    private readonly Tally _missingDone = new(Label.Upstream);
    private readonly Tally _doneWithoutFinish = new(Label.Upstream);
    private readonly Tally _clientRetries = new(Label.Group);
    private readonly Tally _refused = new(Label.Group, Label.ErrorType);

    // In billionths of a dollar: a sum of binary fractions would drift.
    private readonly Tally _costs = new(Label.RequestModel, Label.Group);

    private Func<IEnumerable<(string Name, bool IsUp)>> _upstreams = static () => [];
    private Func<IEnumerable<(string Group, string Window, double Left)>> _budgets = static () => [];
    private long _active;
    private long _reloadFailures;
    private long _recordsDropped;
    private long _recordsFailed;

    public ProxyMetrics(IMeterFactory meters, TimeProvider time)
    {
        _time = time;
        var meter = meters.Create(LlmProxyTelemetry.MeterName);
        _tokens = meter.CreateHistogram(
            MetricNames.TokenUsage, "{token}", "Number of input and output tokens used.", advice: Buckets.Tokens);
        _duration = meter.CreateHistogram(
            MetricNames.RequestDuration, "s", "From a request's beginning to the end of its answer.", advice: Buckets.Duration);
        _firstToken = meter.CreateHistogram(
            MetricNames.TimeToFirstToken, "s", "From a request's beginning to the first event of its stream.", advice: Buckets.FirstToken);
        _perToken = meter.CreateHistogram(
            MetricNames.TimePerOutputToken, "s", "Time per output token after the first, of whole streams.", advice: Buckets.PerToken);
        _overhead = meter.CreateHistogram(
            MetricNames.OverheadDuration, "s", "From a request's beginning to its going upstream.", advice: Buckets.Overhead);
        CreateObserved(meter);
    }

    public long Active => Interlocked.Read(ref _active);

    public LedgerCounts Ledger { get; } = new();

    public void ObserveUpstreams(Func<IEnumerable<(string Name, bool IsUp)>> upstreams) => Volatile.Write(ref _upstreams, upstreams);

    public void ObserveBudgets(Func<IEnumerable<(string Group, string Window, double Left)>> budgets) => Volatile.Write(ref _budgets, budgets);

    public void Attempted(string upstream, string? error) => _attempts.Add(upstream, error);

    public void FailedOver(string upstream, string error) => _failovers.Add(upstream, error);

    public void Hedged(string upstream, string? error) => _hedges.Add(upstream, error);

    public void Mirrored(string upstream, string? error) => _mirrored.Add(upstream, error);

    public void AuthFailed(string upstream) => _authFailures.Add(upstream);

    public void ReloadFailed() => Interlocked.Increment(ref _reloadFailures);

    public void RecordDropped() => Interlocked.Increment(ref _recordsDropped);

    public void RecordsFailed(int count) => Interlocked.Add(ref _recordsFailed, count);

    public void Cost(Exchange exchange, decimal cost) => _costs.Add(exchange.Route, exchange.Group, (long)(Math.Min(cost, MostDollars) * NanosPerDollar));

    public void Begin() => Interlocked.Increment(ref _active);

    public void End(Exchange exchange, long ended)
    {
        Interlocked.Decrement(ref _active);
        if (exchange.CoalescedWith is not null)
        {
            _coalesced.Add(exchange.Route);
        }

        if (exchange.IsRefused)
        {
            _refused.Add(exchange.Group, exchange.ErrorType);
        }

        if (exchange.Truncated)
        {
            _truncated.Add(exchange.Upstream);
        }

        if (exchange.MissingDone)
        {
            _missingDone.Add(exchange.Upstream);
        }

        if (exchange.DoneWithoutFinish)
        {
            _doneWithoutFinish.Add(exchange.Upstream);
        }

        // The header carries the number of this try: each retry of a request comes by here itself, so each counts once.
        if (exchange.ClientRetries > 0)
        {
            _clientRetries.Add(exchange.Group);
        }

        if (_duration.Enabled || _tokens.Enabled || _firstToken.Enabled || _perToken.Enabled || _overhead.Enabled)
        {
            Record(exchange, ended);
        }
    }

    private void Record(Exchange exchange, long ended)
    {
        var labels = _labels.Of(exchange);
        if (exchange.SentUpstream != 0)
        {
            _overhead.Record(Seconds(exchange.Started, exchange.SentUpstream), labels.Operation);
        }

        if (exchange.Usage.Input >= 0)
        {
            _tokens.Record(exchange.Usage.Input, exchange.IsEstimate ? labels.EstimatedInput : labels.Input);
        }

        if (exchange.Usage.Output >= 0)
        {
            _tokens.Record(exchange.Usage.Output, exchange.IsEstimate ? labels.EstimatedOutput : labels.Output);
        }

        if (exchange.Streamed && exchange.FirstEvent != 0)
        {
            RecordPace(labels.Request, exchange);
        }

        _duration.Record(Seconds(exchange.Started, ended), exchange.ErrorType is { } error ? labels.Failed(error) : labels.Request);
    }

    private void RecordPace(KeyValuePair<string, object?>[] labels, Exchange exchange)
    {
        _firstToken.Record(Seconds(exchange.Started, exchange.FirstEvent), labels);
        if (exchange.ErrorType is null && exchange.Usage.Output > 1 && exchange.LastEvent > exchange.FirstEvent)
        {
            _perToken.Record(Seconds(exchange.FirstEvent, exchange.LastEvent) / (exchange.Usage.Output - 1), labels);
        }
    }

    private double Seconds(long from, long to) => _time.GetElapsedTime(from, to).TotalSeconds;

    private void CreateObserved(Meter meter)
    {
        meter.CreateObservableUpDownCounter(
            MetricNames.RequestsActive, () => Active, "{request}", "Requests that have begun and not ended.");
        meter.CreateObservableGauge(
            MetricNames.UpstreamState, ObserveStates, "{state}", "1 for an upstream that may be asked, 0 for one that is out.");
        ByUpstream(MetricNames.UpstreamAttempts, _attempts, "{attempt}", "Times that an upstream was asked, by how that ended.");
        ByUpstream(MetricNames.UpstreamFailovers, _failovers, "{failover}", "Times that an upstream was given up for the next target.");
        ByUpstream(MetricNames.UpstreamHedges, _hedges, "{attempt}", "Times that an upstream was asked beside a slow one, by how that ended.");
        ByUpstream(MetricNames.UpstreamMirrored, _mirrored, "{request}", "Copies of requests for a mirror, by how that ended.");
        meter.CreateObservableCounter(
            MetricNames.RequestsCoalesced, () => _coalesced.Observe([]), "{request}", "Requests that were answered by another's call.");
        ByUpstream(MetricNames.UpstreamAuthFailures, _authFailures, "{failure}", "Times that an upstream refused the operator's credentials.");
        ByUpstream(MetricNames.StreamsTruncated, _truncated, "{stream}", "Streams that broke after their first event.");
        ByUpstream(MetricNames.StreamsMissingDone, _missingDone, "{stream}", "Whole streams whose closing [DONE] was ours.");
        ByUpstream(
            MetricNames.StreamsDoneWithoutFinish, _doneWithoutFinish, "{stream}", "Streams whose [DONE] came without every finish reason.");
        meter.CreateObservableCounter(
            MetricNames.ClientRetries, () => _clientRetries.Observe([]), "{request}", "Requests that were the client's own retry.");
        meter.CreateObservableCounter(
            MetricNames.ConfigReloadFailures, () => Interlocked.Read(ref _reloadFailures), "{failure}",
            "Configurations that could not replace the last good one.");
        meter.CreateObservableCounter(
            MetricNames.RecordsDropped, () => Interlocked.Read(ref _recordsDropped), "{record}",
            "Records of requests that found the writer's queue full.");
        meter.CreateObservableCounter(
            MetricNames.RecordsFailed, () => Interlocked.Read(ref _recordsFailed), "{record}",
            "Records of requests that a sink did not take.");

        Ledger.CreateIn(meter);
        meter.CreateObservableCounter(
            MetricNames.Cost,
            () => _costs.Observe([]).Select(static c => new Measurement<double>(c.Value / (double)NanosPerDollar, c.Tags)),
            "{USD}", "What requests cost, in US dollars.");

        meter.CreateObservableGauge(MetricNames.BudgetRemaining, ObserveLeft, "{USD}", "What is left of a group's budget, in US dollars.");
        meter.CreateObservableCounter(
            MetricNames.RequestsRefused, () => _refused.Observe([]), "{request}", "Requests that a limit of their caller's has stopped, by its code.");

        void ByUpstream(string name, Tally tally, string unit, string description) =>
            meter.CreateObservableCounter(name, () => tally.Observe(Volatile.Read(ref _upstreams)().Select(static u => u.Name)), unit, description);
    }

    // Without a budget what nobody limits is infinite, and an alert on "little left" stays silent.
    private List<Measurement<double>> ObserveLeft()
    {
        var left = new List<Measurement<double>>();
        foreach (var (group, window, dollars) in Volatile.Read(ref _budgets)())
        {
            left.Add(new Measurement<double>(dollars, new KeyValuePair<string, object?>(Label.Group, group), new KeyValuePair<string, object?>(Label.Window, window)));
        }

        return left.Count > 0 ? left : [new Measurement<double>(double.PositiveInfinity)];
    }

    private IEnumerable<Measurement<int>> ObserveStates() =>
        Volatile.Read(ref _upstreams)().Select(static u => new Measurement<int>(u.IsUp ? 1 : 0, new KeyValuePair<string, object?>(Label.Upstream, u.Name)));

    /// <summary>The boundaries that the GenAI conventions advise; those of times go on to 600 s, for reasoning models think for minutes.</summary>
    private static class Buckets
    {
        public static readonly InstrumentAdvice<long> Tokens = new()
        {
            HistogramBucketBoundaries =
                [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864],
        };

        public static readonly InstrumentAdvice<double> Duration = new()
        {
            HistogramBucketBoundaries =
                [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 600],
        };

        public static readonly InstrumentAdvice<double> FirstToken = new()
        {
            HistogramBucketBoundaries =
                [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 150, 300, 600],
        };

        public static readonly InstrumentAdvice<double> PerToken = new()
        {
            HistogramBucketBoundaries = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5],
        };

        /// <summary>Ours alone: tens of microseconds as a rule, seconds when a client sends its body slowly.</summary>
        public static readonly InstrumentAdvice<double> Overhead = new()
        {
            HistogramBucketBoundaries =
                [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 600],
        };
    }
}
