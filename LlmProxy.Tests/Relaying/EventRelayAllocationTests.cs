using System.Text;
using LlmProxy.Core.Protocol;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Relaying;

/// <summary>In steady state an event costs no memory, however it comes.</summary>
[NonParallelizable]
internal sealed class EventRelayAllocationTests
{
    private const int Events = 10_000;

    private static readonly byte[] _end = Encoding.UTF8.GetBytes(Sse.Event(Chat.Finish()) + Sse.Done);

    [TestCase(false, TestName = "{m}(waited for)")]
    [TestCase(true, TestName = "{m}(there at once)")]
    public async Task Events_that_are_alike_cost_nothing(bool atOnce) => Assert.That(await AllocatedAsync(atOnce, Event("a"), Event("b")), Is.Zero);

    [TestCase(false, TestName = "{m}(waited for)")]
    [TestCase(true, TestName = "{m}(there at once)")]
    public async Task Events_that_are_never_alike_cost_nothing(bool atOnce) =>
        Assert.That(await AllocatedAsync(atOnce, Event("a", 0), Event("b", 1), Event("c", 2)), Is.Zero);

    [Test]
    public async Task Events_that_come_in_halves_cost_nothing()
    {
        var whole = Event("a");
        Assert.That(await AllocatedAsync(false, whole[..100], whole[100..]), Is.Zero);
    }

    [Test]
    public async Task Several_events_in_a_read_and_the_start_of_the_next_cost_nothing()
    {
        byte[] three = [.. Event("a"), .. Event("b"), .. Event("c")];
        Assert.That(await AllocatedAsync(false, three[..^100], three[^100..]), Is.Zero);
    }

    [Test]
    public async Task Comments_cost_nothing() => Assert.That(await AllocatedAsync(false, Event("a"), ": ping\n\n"u8.ToArray()), Is.Zero);

    [Test]
    public async Task Events_of_Messages_cost_nothing() => Assert.That(
        await AllocatedAsync(Dialect.Messages, MessageEvents.Begun, MessageEvents.BlockStop + MessageEvents.MessageDelta() + MessageEvents.Stop, MessageEvents.Delta("a"), MessageEvents.Delta(" longer"), MessageEvents.Ping),
        Is.Zero);

    [Test]
    public async Task Events_of_Responses_cost_nothing() => Assert.That(
        await AllocatedAsync(Dialect.Responses, ResponseEvents.Begun + ResponseEvents.ItemAdded, ResponseEvents.Completed(9), ResponseEvents.Delta("a", 3), ResponseEvents.Delta(" longer", 4, "o")),
        Is.Zero);

    [Test]
    public async Task Each_read_from_the_upstream_is_one_flush_to_the_client()
    {
        using var relay = new MemoryRelay(keeps: false);
        var upstream = new FedStream(Event("first")) { Ends = false };
        var running = relay.RunAsync(upstream);
        byte[] several = [.. Event("a"), .. Event("b"), .. ": ping\n\n"u8];
        foreach (var piece in (byte[][])[Event("a"), several, Event("c")])
        {
            var before = relay.Body.Flushes;
            upstream.Supply(piece);
            Assert.That(relay.Body.Flushes - before, Is.EqualTo(1));
        }

        upstream.Supply(_end);
        Assert.That((await running).Error, Is.Null);
    }

    private static async Task<long> AllocatedAsync(Dialect dialect, string begin, string end, params string[] events)
    {
        using var relay = new MemoryRelay(keeps: false) { Dialect = dialect, Heartbeat = TimeSpan.FromSeconds(15), Idle = TimeSpan.FromMinutes(5) };
        byte[][] pieces = [.. events.Select(Encoding.UTF8.GetBytes)];
        return await AllocatedAsync(relay, Encoding.UTF8.GetBytes(begin), Encoding.UTF8.GetBytes(end), pieces);
    }

    private static async Task<long> AllocatedAsync(bool atOnce, params byte[][] pieces)
    {
        using var relay = new MemoryRelay(keeps: false) { Heartbeat = TimeSpan.FromSeconds(15), Idle = TimeSpan.FromMinutes(5) };
        if (atOnce)
        {
            return await AllocatedAtOnceAsync(relay, pieces);
        }

        return await AllocatedAsync(relay, Event("first"), _end, pieces);
    }

    private static async Task<long> AllocatedAsync(MemoryRelay relay, byte[] begin, byte[] end, byte[][] pieces)
    {
        var upstream = new FedStream(begin) { Ends = false };
        var running = relay.RunAsync(upstream);
        Supply(upstream, pieces, Events);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Supply(upstream, pieces, Events);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.That(running.IsCompleted, Is.False);
        upstream.Supply(end);
        Assert.That((await running).Error, Is.Null);
        return allocated;
    }

    // Everything is relayed in one go, so that the first half is told from the second by the time of its last event.
    private static async Task<long> AllocatedAtOnceAsync(MemoryRelay relay, byte[][] pieces)
    {
        long between = 0;
        var marked = 0;
        IEnumerable<ReadOnlyMemory<byte>> all = Enumerable.Range(0, Events * 2).Select(i => (ReadOnlyMemory<byte>)pieces[i % pieces.Length]).Append(_end);
        var upstream = new MarkedStream(new FedStream(all), Events, () => (marked, between) = (marked + 1, GC.GetAllocatedBytesForCurrentThread()), out var atEnd);
        var outcome = await relay.RunAsync(upstream);
        Assert.That((outcome.Error, marked), Is.EqualTo(((object?)null, 1)));
        return atEnd() - between;
    }

    private static void Supply(FedStream upstream, byte[][] pieces, int count)
    {
        for (var i = 0; i < count; i++)
        {
            upstream.Supply(pieces[i % pieces.Length]);
        }
    }

    /// <summary>An event of about 300 bytes.</summary>
    private static byte[] Event(string text, int choice = 0) => Encoding.UTF8.GetBytes(Sse.Event(Chat.Delta(text.PadRight(150, '.'), choice)));

    /// <summary>Notes what had been allocated when so many pieces had been read, and again at each read of the last one.</summary>
    private sealed class MarkedStream : Stream
    {
        private readonly FedStream _inner;
        private readonly int _at;
        private readonly Action _mark;
        private int _reads;
        private long _allocated;

        public MarkedStream(FedStream inner, int at, Action mark, out Func<long> atEnd)
        {
            (_inner, _at, _mark) = (inner, at, mark);
            atEnd = () => _allocated;
        }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (!buffer.IsEmpty && ++_reads == _at)
            {
                _mark();
            }

            _allocated = _reads < 2 * _at ? GC.GetAllocatedBytesForCurrentThread() : _allocated;
            return _inner.ReadAsync(buffer, cancellationToken);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
