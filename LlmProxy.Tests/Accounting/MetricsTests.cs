using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Accounting;

internal sealed class MetricsTests
{
    private Books _books = null!;

    [SetUp]
    public void Open() => _books = new Books();

    [TearDown]
    public async Task Close() => await _books.DisposeAsync();

    [Test]
    public void A_whole_stream_is_measured_with_the_names_and_labels_of_the_conventions()
    {
        using var duration = _books.Collect<double>("gen_ai.server.request.duration");
        using var first = _books.Collect<double>("gen_ai.server.time_to_first_token");
        using var perToken = _books.Collect<double>("gen_ai.server.time_per_output_token");
        using var tokens = _books.Collect<long>("gen_ai.client.token.usage");
        using var overhead = _books.Collect<double>("llmproxy.overhead.duration");

        _books.Accountant.Complete(Stream());

        var labels = new Dictionary<string, object?>
        {
            ["gen_ai.operation.name"] = "chat",
            ["gen_ai.provider.name"] = "openai",
            ["gen_ai.request.model"] = "gpt-fast",
            ["gen_ai.response.model"] = "gpt-5-mini",
        };
        Assert.Multiple(() =>
        {
            Assert.That(duration.LastMeasurement!.Value, Is.EqualTo(4.0).Within(1e-9));
            Assert.That(duration.LastMeasurement.Tags, Is.EquivalentTo(labels));
            Assert.That(first.LastMeasurement!.Value, Is.EqualTo(1.0).Within(1e-9));
            Assert.That(first.LastMeasurement.Tags, Is.EquivalentTo(labels));
            Assert.That(perToken.LastMeasurement!.Value, Is.EqualTo(0.02).Within(1e-9), "2 s for the 100 tokens behind the first");
            Assert.That(overhead.LastMeasurement!.Value, Is.EqualTo(0.5).Within(1e-9));
            Assert.That(tokens.GetMeasurementSnapshot().Select(at => (at.Tags["gen_ai.token.type"], at.Value)), Is.EqualTo(new (object?, long)[] { ("input", 12), ("output", 101) }));
            Assert.That(tokens.LastMeasurement!.Tags, Is.SupersetOf(labels));
        });
    }

    /// <summary>Labels are made once for all requests that have the same, and are told apart by the texts' places.</summary>
    [Test]
    public void A_request_that_differs_from_the_one_before_in_one_label_has_its_own()
    {
        using var tokens = _books.Collect<long>(MetricNames.TokenUsage);
        Action<Exchange>[] differences =
        [
            static e => e.GenAiOperation = "embeddings", static e => e.Provider = null, static e => e.Route = "other", static e => e.UpstreamModel = "other",
            static e => e.TargetModel = "third", static e => e.Route = null, static e => e.IsEstimate = true,
            // Those that have one place with what they differ from.
            static e => e.Provider = "azenai", static e => e.Route = "gpx-fast", static e => e.UpstreamModel = "gpx-5-mini", static e => e.Route = new string("gpt-fast"),
        ];
        foreach (var differ in differences.Append(static _ => { }).Concat(differences))
        {
            var exchange = Stream();
            differ(exchange);
            _books.Accountant.Complete(exchange);
            var labels = new Dictionary<string, object?>
            {
                ["gen_ai.operation.name"] = exchange.GenAiOperation,
                ["gen_ai.provider.name"] = exchange.Provider,
                ["gen_ai.request.model"] = exchange.Route,
                ["gen_ai.response.model"] = exchange.ResponseModel,
                ["llmproxy.usage.source"] = exchange.IsEstimate ? "estimate" : null,
                ["gen_ai.token.type"] = "output",
            };
            Assert.That(tokens.LastMeasurement!.Tags, Is.EquivalentTo(labels.Where(static label => label.Value is not null)));
        }
    }

    [Test]
    public void Equal_names_are_one_count_whatever_string_they_stand_in()
    {
        foreach (var name in new[] { "a", new string("a"), "b", "a" })
        {
            _books.Accountant.Attempted(name);
            _books.Accountant.Attempted(name, new string("boom"));
        }

        Assert.That(
            _books.Observe<long>(MetricNames.UpstreamAttempts).Select(at => (at.Key, at.Value)),
            Is.EquivalentTo(new[] { ("a", 3L), ("a boom", 3L), ("b", 1L), ("b boom", 1L) }));
    }

    [Test]
    public void A_failure_carries_its_code_and_no_time_per_token()
    {
        using var duration = _books.Collect<double>(MetricNames.RequestDuration);
        using var perToken = _books.Collect<double>(MetricNames.TimePerOutputToken);
        var exchange = Stream();
        exchange.End = "upstream_timeout";
        exchange.Blame = Blame.Upstream;

        _books.Accountant.Complete(exchange);

        Assert.That(duration.LastMeasurement!.Tags["error.type"], Is.EqualTo("upstream_timeout"));
        Assert.That(perToken.GetMeasurementSnapshot(), Is.Empty);
    }

    [Test]
    public void The_text_of_a_request_never_becomes_a_label()
    {
        using var duration = _books.Collect<double>(MetricNames.RequestDuration);
        var unmatched = _books.Accountant.Begin();
        unmatched.Model = "canary-1";
        unmatched.End = "model_not_found";
        _books.Accountant.Complete(unmatched);
        var starred = _books.Accountant.Begin();
        (starred.Model, starred.Route, starred.UpstreamModel) = ("gpt-canary-2", "gpt-*", "gpt-canary-2");
        _books.Accountant.Complete(starred);

        var tags = duration.GetMeasurementSnapshot().Select(at => at.Tags).ToArray();
        Assert.That(tags[0].Keys, Is.EqualTo(new[] { "error.type" }));
        Assert.That(tags[1], Is.EqualTo(new Dictionary<string, object?> { ["gen_ai.request.model"] = "gpt-*" }));
    }

    [Test]
    public void Active_requests_go_up_and_come_back_though_an_exchange_completes_twice()
    {
        var one = _books.Accountant.Begin();
        _books.Accountant.Begin();
        Assert.That(_books.Observe<long>("llmproxy.requests.active")[""], Is.EqualTo(2));

        _books.Accountant.Complete(one);
        _books.Accountant.Complete(one);
        Assert.That(_books.Observe<long>("llmproxy.requests.active")[""], Is.EqualTo(1));
        Assert.That(_books.Accountant.Active, Is.EqualTo(1));
    }

    [Test]
    public void What_happened_before_anybody_listened_is_counted_and_each_configured_upstream_stands_at_zero()
    {
        _books.Accountant.ObserveUpstreams(() => [("a", true), ("b", false)]);
        _books.Accountant.Attempted("a");
        _books.Accountant.Attempted("a", "upstream_timeout");
        _books.Accountant.Attempted("a", "upstream_timeout");
        _books.Accountant.FailedOver("a", "upstream_timeout");
        _books.Accountant.AuthFailed("b");
        var exchange = _books.Accountant.Begin();
        (exchange.Upstream, exchange.Truncated, exchange.MissingDone, exchange.DoneWithoutFinish) = ("b", true, true, true);
        (exchange.Key, exchange.ClientRetries) = (new Caller("app", "team", [], debug: false), 2);
        _books.Accountant.Complete(exchange);

        Assert.Multiple(() =>
        {
            Assert.That(Observe("llmproxy.upstream.attempts"), Is.EquivalentTo(new[] { ("a", 1L), ("a upstream_timeout", 2L), ("b", 0L) }));
            Assert.That(Observe("llmproxy.upstream.failovers"), Is.EquivalentTo(new[] { ("a", 0L), ("a upstream_timeout", 1L), ("b", 0L) }));
            Assert.That(Observe("llmproxy.upstream.auth_failures"), Is.EquivalentTo(new[] { ("a", 0L), ("b", 1L) }));
            Assert.That(Observe("llmproxy.streams.truncated"), Is.EquivalentTo(new[] { ("a", 0L), ("b", 1L) }));
            Assert.That(Observe("llmproxy.streams.missing_done"), Is.EquivalentTo(new[] { ("a", 0L), ("b", 1L) }));
            Assert.That(Observe("llmproxy.streams.done_without_finish"), Is.EquivalentTo(new[] { ("a", 0L), ("b", 1L) }));
            Assert.That(Observe("llmproxy.client.retries"), Is.EquivalentTo(new[] { ("team", 1L) }));
            Assert.That(_books.Observe<int>("llmproxy.upstream.state"), Is.EquivalentTo(new Dictionary<string, int> { ["a"] = 1, ["b"] = 0 }));
        });

        IEnumerable<(string, long)> Observe(string name) => _books.Observe<long>(name).Select(at => (at.Key, at.Value));
    }

    [Test]
    public void Every_instrument_exists_and_what_is_no_histogram_has_a_value_before_the_first_request()
    {
        _books.Accountant.ObserveUpstreams(() => [("a", true)]);
        string[] histograms =
            [MetricNames.TokenUsage, MetricNames.RequestDuration, MetricNames.TimeToFirstToken, MetricNames.TimePerOutputToken, MetricNames.OverheadDuration];
        Assert.Multiple(() =>
        {
            foreach (var name in MetricNames.All.Except(histograms))
            {
                var values = name switch
                {
                    MetricNames.Cost or MetricNames.BudgetRemaining => _books.Observe<double>(name).Count,
                    MetricNames.UpstreamState => _books.Observe<int>(name).Count,
                    _ => _books.Observe<long>(name).Count,
                };
                Assert.That(values, Is.EqualTo(1), name);
            }
        });
    }

    [Test]
    public void A_failed_reload_is_counted()
    {
        _books.Accountant.ReloadFailed();
        Assert.That(_books.Observe<long>("llmproxy.config.reload_failures")[""], Is.EqualTo(1));
    }

    [Test]
    public void The_buckets_of_times_reach_ten_minutes()
    {
        using var duration = _books.Collect<double>(MetricNames.RequestDuration);
        _books.Accountant.Complete(Stream());
        var advice = ((System.Diagnostics.Metrics.Histogram<double>)duration.Instrument!).Advice!.HistogramBucketBoundaries!;
        Assert.That(advice[^1], Is.EqualTo(600));
        Assert.That(advice, Is.Ordered.And.Unique);
    }

    private Exchange Stream()
    {
        var exchange = _books.Accountant.Begin();
        (exchange.GenAiOperation, exchange.Model, exchange.Route, exchange.Streamed) = ("chat", "gpt-fast", "gpt-fast", true);
        (exchange.Upstream, exchange.Provider, exchange.UpstreamModel) = ("a", "openai", "gpt-5-mini");
        _books.Time.Advance(TimeSpan.FromSeconds(0.5));
        exchange.SentUpstream = _books.Time.GetTimestamp();
        _books.Time.Advance(TimeSpan.FromSeconds(0.5));
        exchange.FirstEvent = _books.Time.GetTimestamp();
        _books.Time.Advance(TimeSpan.FromSeconds(2));
        exchange.LastEvent = _books.Time.GetTimestamp();
        _books.Time.Advance(TimeSpan.FromSeconds(1));
        exchange.Usage = new Usage(12, -1, 101);
        return exchange;
    }
}
