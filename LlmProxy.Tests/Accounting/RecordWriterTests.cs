using LlmProxy.Core.Accounting;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace LlmProxy.Tests.Accounting;

internal sealed class RecordWriterTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Test]
    public async Task A_lone_record_is_written_at_once()
    {
        var sink = new GatheringSink();
        await using var books = new Books(sinks: sink);
        books.Writer.Enqueue(Record("1"));
        await sink.First.Task.WaitAsync(Patience);
        Assert.That(sink.Ids, Is.EqualTo(new[] { "1" }));
    }

    [Test]
    public async Task Below_capacity_nothing_is_lost_and_order_is_kept_when_it_stops()
    {
        var sink = new GatheringSink();
        await using var books = new Books(sinks: sink);
        var sent = Enumerable.Range(0, RecordWriter.Capacity).Select(i => $"{i}").ToArray();
        foreach (var id in sent)
        {
            books.Writer.Enqueue(Record(id));
        }

        await books.StopAsync().WaitAsync(Patience);
        Assert.That(sink.Ids, Is.EqualTo(sent));
        Assert.That(books.Observe<long>("llmproxy.records.dropped")[""], Is.Zero);
    }

    [Test]
    public async Task A_full_queue_drops_counts_and_warns_once_a_minute()
    {
        using var gate = new ManualResetEventSlim();
        var sink = new GatheringSink { Gate = gate };
        await using var books = new Books(sinks: sink);
        books.Writer.Enqueue(Record("held by the sink"));
        await sink.Entered.Task.WaitAsync(Patience);
        for (var i = 0; i < RecordWriter.Capacity + 3; i++)
        {
            books.Writer.Enqueue(Record("x"));
        }

        Assert.That(books.Observe<long>("llmproxy.records.dropped")[""], Is.EqualTo(3));
        Assert.That(books.Logged.Count(line => line.Level == LogLevel.Warning), Is.EqualTo(1));

        books.Time.Advance(TimeSpan.FromMinutes(1));
        books.Writer.Enqueue(Record("x"));
        Assert.That(books.Logged.Count(line => line.Level == LogLevel.Warning), Is.EqualTo(2));

        gate.Set();
        await books.StopAsync().WaitAsync(Patience);
        Assert.That(sink.Ids, Has.Count.EqualTo(RecordWriter.Capacity + 1));
    }

    [Test]
    public async Task A_sink_that_throws_stops_neither_the_writer_nor_the_other_sinks()
    {
        var sink = new GatheringSink();
        await using var books = new Books(sinks: [new ThrowingSink(), sink]);
        for (var i = 0; i < 1_000; i++)
        {
            books.Writer.Enqueue(Record("x"));
        }

        await books.StopAsync().WaitAsync(Patience);
        Assert.That(sink.Ids, Has.Count.EqualTo(1_000));
        Assert.That(books.Observe<long>("llmproxy.records.failed")[""], Is.EqualTo(1_000));
        Assert.That(books.Logged.Single(line => line.Level == LogLevel.Error).Message, Does.Contain(nameof(ThrowingSink)));
    }

    [Test]
    public async Task A_sink_that_hangs_does_not_hold_up_the_host_beyond_its_patience()
    {
        using var gate = new ManualResetEventSlim();
        var sink = new GatheringSink { Gate = gate };
        var books = new Books(sinks: sink);
        books.Writer.Enqueue(Record("held by the sink"));
        await sink.Entered.Task.WaitAsync(Patience);
        await books.Writer.StoppedAsync(new CancellationToken(canceled: true)).WaitAsync(Patience);
        Assert.That(books.Logged.Any(line => line.Level == LogLevel.Error), Is.True);
        await books.DisposeAsync().AsTask().WaitAsync(Patience);
        gate.Set();
    }

    [Test]
    public async Task After_its_end_it_takes_nothing_and_may_be_disposed_again()
    {
        var sink = new GatheringSink();
        var books = new Books(sinks: sink);
        books.Writer.Enqueue(Record("1"));
        await books.DisposeAsync();
        Assert.That(sink.Ids, Is.EqualTo(new[] { "1" }), "a container without a host writes what is left, too");
        books.Writer.Enqueue(Record("2"));
        books.Writer.Dispose();
        await books.Writer.DisposeAsync();
        Assert.That(sink.Ids, Has.Count.EqualTo(1));
    }

    private static ExchangeRecord Record(string id) => new()
    {
        Id = id,
        Started = DateTimeOffset.UnixEpoch,
        Duration = TimeSpan.Zero,
        End = "ok",
        UsageSource = "none",
    };

    private sealed class ThrowingSink : IRecordSink
    {
        public void Write(IReadOnlyList<ExchangeRecord> records) => throw new IOException("disk full");
    }

    private sealed class GatheringSink : IRecordSink
    {
        public List<string> Ids { get; } = [];

        public TaskCompletionSource Entered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ManualResetEventSlim? Gate { get; init; }

        public void Write(IReadOnlyList<ExchangeRecord> records)
        {
            Entered.TrySetResult();
            Gate?.Wait();
            Ids.AddRange(records.Select(record => record.Id));
            First.TrySetResult();
        }
    }
}
