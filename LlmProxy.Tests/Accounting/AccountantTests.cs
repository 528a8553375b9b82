using LlmProxy.Core.Accounting;
using LlmProxy.Core.Protocol;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace LlmProxy.Tests.Accounting;

[NonParallelizable]
internal sealed class AccountantTests
{
    [Test]
    public async Task With_no_listener_and_no_sink_a_request_allocates_its_exchange_and_its_id_only()
    {
        await using var books = new Books();
        var bare = Allocated(() => GC.KeepAlive(new Exchange { Id = RequestIds.Create(books.Time.GetUtcNow()) }));
        var whole = Allocated(() =>
        {
            var exchange = books.Accountant.Begin();
            (exchange.GenAiOperation, exchange.Route, exchange.UpstreamModel, exchange.Upstream) = ("chat", "gpt-*", "gpt-5", "a");
            (exchange.Streamed, exchange.MissingDone, exchange.Usage) = (true, true, new Usage(1, 1, 1));
            exchange.SentUpstream = exchange.FirstEvent = exchange.Started;
            books.Accountant.Attempted("a");
            books.Accountant.Complete(exchange);
        });
        Assert.That(whole, Is.EqualTo(bare));

        static long Allocated(Action request)
        {
            for (var i = 0; i < 200; i++)
            {
                request();
            }

            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1_000; i++)
            {
                request();
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    [Test]
    public async Task The_record_says_what_is_known_of_the_request()
    {
        var sink = new KeepingSink();
        await using var books = new Books(sinks: sink);
        var exchange = books.Accountant.Begin(clientId: "c-1");
        books.Time.Advance(TimeSpan.FromMilliseconds(2));
        exchange.SentUpstream = books.Time.GetTimestamp();
        books.Time.Advance(TimeSpan.FromMilliseconds(98));
        exchange.FirstEvent = books.Time.GetTimestamp();
        (exchange.Status, exchange.End, exchange.Blame) = (502, "upstream_unavailable", Blame.Upstream);
        exchange.Usage = new Usage(7, -1, 3);
        books.Accountant.Complete(exchange);
        await books.StopAsync();

        var record = sink.Records.Single();
        Assert.Multiple(() =>
        {
            Assert.That(record.Id, Is.EqualTo(exchange.Id));
            Assert.That(record.ClientId, Is.EqualTo("c-1"));
            Assert.That(record.Started, Is.EqualTo(new DateTimeOffset(2026, 11, 20, 8, 0, 0, TimeSpan.Zero)));
            Assert.That(record.Duration, Is.EqualTo(TimeSpan.FromMilliseconds(100)));
            Assert.That(record.FirstEvent, Is.EqualTo(TimeSpan.FromMilliseconds(100)));
            Assert.That(record.Overhead, Is.EqualTo(TimeSpan.FromMilliseconds(2)));
            Assert.That((record.InputTokens, record.CachedInputTokens, record.OutputTokens), Is.EqualTo(((long?)7, (long?)null, (long?)3)));
            Assert.That(record.UsageSource, Is.EqualTo("upstream"));
            Assert.That(record.Blame, Is.EqualTo("upstream"));
            Assert.That(record.TraceId, Is.Null);
        });
    }

    [Test]
    public async Task A_request_refused_before_it_went_upstream_was_all_overhead_and_has_no_usage()
    {
        var sink = new KeepingSink();
        await using var books = new Books(sinks: sink);
        var exchange = books.Accountant.Begin();
        books.Time.Advance(TimeSpan.FromMilliseconds(3));
        Assert.That(books.Accountant.Overhead(exchange), Is.EqualTo(TimeSpan.FromMilliseconds(3)));
        books.Accountant.Complete(exchange);
        await books.StopAsync();
        Assert.That(sink.Records[0].Overhead, Is.EqualTo(TimeSpan.FromMilliseconds(3)));
        Assert.That(sink.Records[0].FirstEvent, Is.Null);
        Assert.That(sink.Records[0].UsageSource, Is.EqualTo("none"));
    }

    [TestCase("qwen", "qwen")]
    [TestCase("a\nb\u001b[31m\u2028", "a\\u000ab\\u001b[31m\\u2028")]
    public async Task A_model_in_a_record_can_neither_end_a_line_nor_steer_a_terminal(string asked, string written) =>
        Assert.That(await RecordedModel(asked), Is.EqualTo(written));

    [Test]
    public async Task A_long_model_is_cut_at_64_characters_and_never_inside_one()
    {
        Assert.That(await RecordedModel(new string('x', 1_000)), Is.EqualTo(new string('x', 64)));
        Assert.That(await RecordedModel(new string('x', 63) + "\U0001F600\U0001F600"), Is.EqualTo(new string('x', 63)));
        Assert.That(await RecordedModel(new string('\n', 100)), Has.Length.LessThanOrEqualTo(64).And.EndsWith("\\u000a"));
    }

    [Test]
    public async Task The_apps_log_gets_one_line_per_request_without_any_sink()
    {
        await using var books = new Books(LogLevel.Information);
        var exchange = books.Accountant.Begin();
        (exchange.Operation, exchange.Model, exchange.Status) = ("chat", "gpt", 200);
        books.Accountant.Complete(exchange);
        await books.StopAsync();

        var line = books.Logged.Single(at => at.Category == "LlmProxy.Requests");
        Assert.That(line.Level, Is.EqualTo(LogLevel.Information));
        Assert.That(line.GetStructuredStateValue("RequestId"), Is.EqualTo(exchange.Id));
        Assert.That(line.GetStructuredStateValue("Status"), Is.EqualTo("200"));
    }

    [Test]
    public async Task Nothing_is_recorded_where_the_log_is_off_and_no_sink_is_there()
    {
        await using var books = new Books(LogLevel.Warning);
        Assert.That(books.Writer.IsWanted, Is.False);
        books.Accountant.Complete(books.Accountant.Begin());
        await books.StopAsync();
        Assert.That(books.Logged, Is.Empty);
    }

    private static async Task<string?> RecordedModel(string asked)
    {
        var sink = new KeepingSink();
        await using var books = new Books(sinks: sink);
        var exchange = books.Accountant.Begin();
        exchange.Model = asked;
        books.Accountant.Complete(exchange);
        await books.StopAsync();
        return sink.Records.Single().Model;
    }

    private sealed class KeepingSink : IRecordSink
    {
        public List<ExchangeRecord> Records { get; } = [];

        public void Write(IReadOnlyList<ExchangeRecord> records) => Records.AddRange(records);
    }
}
