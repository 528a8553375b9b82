using System.Net.Sockets;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Clients that take their answer slowly, not at all, or end their side of the connection.</summary>
public sealed class SlowReaderTests : ProxyFixture
{
    private const int Piece = 16 * 1024;

    private static readonly string s_piece = Sse.Event(Chat.Delta(new string('x', Piece)));

    [TestCase(false, TestName = "C32_a_client_that_half_closes_while_it_waits_is_one_that_left", Category = "C32")]
    [TestCase(true, TestName = "C32_a_client_that_half_closes_within_a_stream_is_one_that_left", Category = "C32")]
    public async Task HalfClose(bool midStream)
    {
        Task<long>? closed = null;
        Upstream.Next(async exchange =>
        {
            closed = exchange.PeerClosed;
            if (midStream)
            {
                await exchange.StreamHeadAsync();
                await exchange.EventsAsync(Chat.Delta("Hel"));
            }

            await exchange.StallAsync();
        });
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await Upstream.WaitForAsync();
        if (midStream)
        {
            await (await client.ReadHeadAsync()).ReadUntilAsync("Hel");
        }

        await Deadline.Until(() => Volatile.Read(ref closed) is not null);
        client.HalfClose();
        await Deadline.In(closed!);
        Assert.That((await RecordAsync()).End, Is.EqualTo("client_disconnect"));
    }

    [Test]
    [Category("C33")]
    public async Task C33_a_reader_that_stalls_holds_little_and_is_cut_after_its_time()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.StalledReader = TimeSpan.FromSeconds(60);
        Setup.Main.Timeouts.Heartbeat = TimeSpan.FromSeconds(15);
        var flood = new Flood();
        Upstream.Next(flood.PlayAsync);
        await StartAsync();
        RawClient client = await StalledAsync(flood);
        Assert.That(HeldBetween(flood.Sent, client.Received.Length), Is.LessThan(1 << 20), "bytes that are neither in the kernel nor at the client");
        await AdvanceAsync(clock, TimeSpan.FromSeconds(5), () => Proxy.Records.Count > 0 || flood.HasEnded, TimeSpan.FromSeconds(50));
        Assert.That(flood.HasEnded, Is.False, "not before its time");
        await AdvanceAsync(clock, TimeSpan.FromSeconds(5), () => Proxy.Records.Count > 0, TimeSpan.FromMinutes(5));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Status), Is.EqualTo(("client_slow", "client", 200)));
        await Deadline.Until(() => flood.HasEnded, what: "the upstream is given up");
        Assert.That((await client.LastResponse!.ReadToEndAsync()).End, Is.Not.EqualTo(BodyEnd.Whole), "what it reads later is no whole answer");
    }

    [Test]
    [Category("C33")]
    public async Task C33_a_reader_that_stalls_while_it_is_told_of_a_cut_off_is_cut_all_the_same()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.StalledReader = TimeSpan.FromSeconds(60);
        Setup.Main.Timeouts.Total = TimeSpan.FromSeconds(30);
        var flood = new Flood();
        Upstream.Next(flood.PlayAsync);
        await StartAsync();
        RawClient client = await StalledAsync(flood);
        await AdvanceAsync(clock, TimeSpan.FromSeconds(5), () => Proxy.Records.Count > 0, TimeSpan.FromMinutes(10));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Status), Is.EqualTo(("deadline_exceeded", 200)));
        await Deadline.Until(() => flood.HasEnded, what: "the upstream is given up");
        Assert.That((await client.LastResponse!.ReadToEndAsync()).End, Is.Not.EqualTo(BodyEnd.Whole));
    }

    [Test]
    [Category("C33")]
    public async Task C33_a_reader_that_stalls_at_a_held_answer_is_cut_and_said_to_be()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.StalledReader = TimeSpan.FromSeconds(60);
        Setup.Options.Limits.HeldAnswer = 64 << 20;
        Upstream.Next(Replies.Json(200, Chat.Completion(new string('x', 30_000_000))));
        await StartAsync();
        RawClient client = await ConnectAsync(receiveBuffer: 4096);
        await client.SendAsync(RawClient.Request("POST", ChatPath, System.Text.Encoding.UTF8.GetBytes(Chat.Request()), Authorization));
        await client.ReadHeadAsync();
        await AdvanceAsync(clock, TimeSpan.FromSeconds(5), () => Proxy.Records.Count > 0, TimeSpan.FromMinutes(10));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Status), Is.EqualTo(("client_slow", "client", 200)));
    }

    [Test]
    [Category("C33")]
    public async Task A_client_that_leaves_while_it_is_sent_a_held_answer_is_one_that_left()
    {
        Setup.Options.Limits.HeldAnswer = 64 << 20;
        Upstream.Otherwise(Replies.Json(200, Chat.Completion(new string('x', 20_000_000))));
        await StartAsync();

        // The server sees that it has gone in more than one way, and each may be the first.
        for (int count = 1; count <= 5; count++)
        {
            RawClient client = await ConnectAsync(receiveBuffer: 4096);
            await client.SendAsync(RawClient.Request("POST", ChatPath, System.Text.Encoding.UTF8.GetBytes(Chat.Request()), Authorization));
            await client.ReadHeadAsync();
            client.Reset();
            await Deadline.Until(() => Proxy.Records.Count == count);
        }

        Assert.That(Proxy.Records.Select(static record => record.End), Is.All.EqualTo("client_disconnect"));
    }

    [Test]
    [Category("C33")]
    public async Task C33_a_reader_that_is_slow_but_moves_is_never_cut()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.StalledReader = TimeSpan.FromSeconds(60);
        Setup.Main.Timeouts.Idle = TimeSpan.FromSeconds(120);
        var flood = new Flood();
        Upstream.Next(flood.PlayAsync);
        await StartAsync();
        RawClient client = await StalledAsync(flood);
        RawResponse response = client.LastResponse!;
        for (int minutes = 0; minutes < 20; minutes++)
        {
            int before = response.Body.Length;
            await response.ReadUntilAsync(r => r.Body.Length > before + (2 * Piece), "more of the stream");
            await AdvanceAsync(clock, TimeSpan.FromSeconds(5), () => false, TimeSpan.FromSeconds(40));
        }

        Assert.That(Proxy.Records, Is.Empty, "far longer than a minute, and still there");
        flood.Stop();
        await response.ReadToEndAsync();
        Assert.That(response.End, Is.EqualTo(BodyEnd.Whole));
        Assert.That((await RecordAsync()).End, Is.EqualTo("ok"));
    }

    private static async Task AdvanceAsync(FakeTimeProvider clock, TimeSpan step, Func<bool> until, TimeSpan limit)
    {
        for (TimeSpan passed = TimeSpan.Zero; passed < limit && !until(); passed += step)
        {
            clock.Advance(step);

            // What the step wakes runs on other threads; a step that it missed it has again with the next.
            await Task.Delay(10);
        }
    }

    /// <summary>A client with the smallest of buffers that has read the head, and an upstream that can send no more.</summary>
    private async Task<RawClient> StalledAsync(Flood flood)
    {
        RawClient client = await ConnectAsync(receiveBuffer: 4096);
        await client.SendAsync(RawClient.Request("POST", ChatPath, System.Text.Encoding.UTF8.GetBytes(Chat.Request(stream: true)), Authorization));
        await client.ReadHeadAsync();
        await Deadline.Until(() => flood.IsBlocked, what: "the upstream is held back");
        return client;
    }

    /// <summary>What is in this process: sent, less what the kernel holds of both connections, less what the client has read.</summary>
    private long HeldBetween(long sent, long read) =>
        sent - SocketQueues.Total(Upstream.EndPoint.Port) - SocketQueues.Total(Proxy.EndPoint.Port) - read;

    /// <summary>An upstream that sends as fast as it is let.</summary>
    private sealed class Flood
    {
        private static readonly TimeSpan s_blocked = TimeSpan.FromMilliseconds(400);

        private volatile bool _stopped;
        private long _sent;

        public long Sent => Volatile.Read(ref _sent);

        public bool IsBlocked { get; private set; }

        public bool HasEnded { get; private set; }

        public void Stop() => _stopped = true;

        public async Task PlayAsync(UpstreamExchange exchange)
        {
            try
            {
                await exchange.StreamHeadAsync();
                while (!_stopped && !exchange.PeerClosed.IsCompleted)
                {
                    Task sending = exchange.ChunkAsync(s_piece);
                    IsBlocked |= await Task.WhenAny(sending, Task.Delay(s_blocked)) != sending;
                    await sending;
                    Interlocked.Add(ref _sent, s_piece.Length);
                }

                await exchange.EventsAsync(Chat.Finish(), "[DONE]");
                await exchange.LastChunkAsync();
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                // Given up.
            }
            finally
            {
                HasEnded = true;
            }
        }
    }
}
