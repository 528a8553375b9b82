using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Relaying;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A stream whose events come one by one is waited for at its connection, beside the HTTP client that reads it.</summary>
public sealed class ConnectionWaitTests : ProxyFixture
{
    private const int Rounds = 7;

    private static readonly string[] s_words = ["one", " two", " three", " four", " five", " six"];

    [TestCase("0\r\n\r\n")]
    [TestCase("0|\r\n|\r\n")]
    [TestCase("|0;why=not\r\n\r\n")]
    [TestCase("|0\r\nX-Trailer: 1\r\n\r\n")]
    [TestCase("|0\n\n")]
    [TestCase("|00\r\n\n")]
    public async Task The_end_of_such_a_stream_is_seen_however_it_is_written_and_its_connection_serves_the_next(string end)
    {
        Upstream.Otherwise(async exchange =>
        {
            await OneByOneAsync(exchange);
            await exchange.ChunkAsync(Sse.Event(Chat.Finish("stop")) + Sse.Done);
            foreach (string piece in end.Split('|'))
            {
                await exchange.TakenAsync();
                await exchange.SendAsync(piece);
            }
        });
        await StartAsync();
        RawClient client = await ConnectAsync();
        byte[] request = RawClient.Request("POST", ChatPath, Encoding.UTF8.GetBytes(Chat.Request(stream: true)), Authorization);
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync(request);
            RawResponse response = await client.ReadAsync();
            Assert.That((response.End, response.Text.Split("\n\n").Length), Is.EqualTo((BodyEnd.Whole, s_words.Length + 3)), response.Text);
        }

        ExpectUpstreamRequests(3);
    }

    // An end without [DONE] is told by the HTTP client alone: nothing wakes who waits beside it.
    [TestCase("0\r\n\r\n", "upstream_truncated")]
    [TestCase("5;x\r\n: hi\n\r\n0\n\n", "upstream_truncated")]
    [TestCase("6\r\n: hi\n\n\r\n0\r\n\r\n", "upstream_truncated")]
    [TestCase("6\r\n: hi\n\n\r\n|0\r\n|\r\n", "upstream_truncated")]
    [TestCase("6\r\n: hi\n\n|\r\n0\r|\n\r\n", "upstream_truncated")]
    [TestCase("zz\r\n", "upstream_protocol_error")]
    [TestCase("", "upstream_reset")]
    public async Task An_answer_that_ends_early_is_known_to_have_ended_at_once(string end, string recorded)
    {
        Upstream.Next(async exchange =>
        {
            await OneByOneAsync(exchange);
            foreach (string piece in end.Split('|'))
            {
                await exchange.SendAsync(piece);
                await exchange.TakenAsync();
            }

            exchange.KeepAlive = end.Length > 0;
        });
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(Chat.Request(stream: true))).ReadAsync();
        Assert.That(response.End, Is.EqualTo(BodyEnd.Unterminated));
        Assert.That((await RecordAsync()).End, Is.EqualTo(recorded));
    }

    [Test]
    public async Task A_client_that_leaves_between_two_events_ends_the_upstream_request_within_100_ms()
    {
        Task<long>? closed = null;
        Upstream.Otherwise(async exchange =>
        {
            closed = exchange.PeerClosed;
            await OneByOneAsync(exchange);
            await exchange.StallAsync();
        });
        await StartAsync();
        var delays = new List<TimeSpan>();
        for (int i = 0; i < Rounds; i++)
        {
            RawClient client = await SendJsonAsync(Chat.Request(stream: true));
            await (await client.ReadHeadAsync()).ReadUntilAsync(s_words[^1]);
            long left = Stopwatch.GetTimestamp();
            client.Close();
            delays.Add(Stopwatch.GetElapsedTime(left, await Deadline.In(closed!)));
        }

        // The median, because a busy machine may hold up any one of them.
        Assert.That(delays.Order().ElementAt(Rounds / 2), Is.LessThanOrEqualTo(TimeSpan.FromMilliseconds(100)));
        await Deadline.Until(() => Proxy.Records.Count == Rounds);
        Assert.That(Proxy.Records.Select(r => r.End), Is.All.EqualTo("client_disconnect"));
        ExpectUpstreamRequests(Rounds);
    }

    [TestCase("idle")]
    [TestCase("total")]
    public async Task A_stream_that_is_cut_off_between_two_events_says_why_and_ends_the_upstream_request(string clockOf)
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
        Setup.Main.Timeouts.Idle = clockOf == "idle" ? TimeSpan.FromSeconds(30) : TimeSpan.Zero;
        Setup.Main.Timeouts.Total = clockOf == "total" ? TimeSpan.FromSeconds(30) : TimeSpan.FromHours(1);
        Task<long>? closed = null;
        Upstream.Next(async exchange =>
        {
            closed = exchange.PeerClosed;
            await OneByOneAsync(exchange, s_words.Length - 1);
            await exchange.StallAsync();
        });
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        RawResponse response = await (await client.ReadHeadAsync()).ReadUntilAsync(s_words[^2]);
        await clock.AdvanceAsync(response.ReadToEndAsync(), TimeSpan.FromMinutes(2));
        Assert.That(response.End, Is.EqualTo(BodyEnd.Unterminated));
        await Deadline.In(closed!);
        Assert.That((await RecordAsync()).End, Is.EqualTo(clockOf == "idle" ? "upstream_idle_timeout" : "deadline_exceeded"));
    }

    /// <summary>The pieces of a chunk come one by one, and its client lives on heartbeats.</summary>
    [TestCase("6|\r\n|: hi\n\n|\r\n")]
    [TestCase("6\r\n|: hi\n\n|\r\n")]
    [TestCase("6\r\n: |hi\n\n\r|\n")]
    public async Task A_piece_of_a_chunk_that_is_nothing_to_read_keeps_no_heartbeat_back(string chunk)
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Heartbeat = TimeSpan.FromSeconds(15);
        string[] pieces = chunk.Split('|');
        for (int i = 0; i < 2 * pieces.Length; i++)
        {
            // After an odd number of events and an even one: what is done for each second wait alone shows.
            int now = 1 + (i / 2);
            int words = s_words.Length - (i % 2);
            var taken = new TaskCompletionSource();
            Upstream.Otherwise(async exchange =>
            {
                await OneByOneAsync(exchange, words);
                foreach (string piece in pieces[..now])
                {
                    await exchange.SendAsync(piece);
                    await exchange.TakenAsync();
                }

                taken.SetResult();
                await exchange.StallAsync();
            });
            if (!IsStarted)
            {
                await StartAsync();
            }

            RawClient client = await SendJsonAsync(Chat.Request(stream: true));
            RawResponse response = await (await client.ReadHeadAsync()).ReadUntilAsync(s_words[words - 1]);
            await Deadline.In(taken.Task);
            Task beat = response.ReadUntilAsync(": keep-alive\n");
            await clock.AdvanceAsync(beat, TimeSpan.FromMinutes(1));
            await beat;
            client.Close();
        }

        await Deadline.Until(() => Proxy.Records.Count == 2 * pieces.Length);
        ExpectUpstreamRequests(2 * pieces.Length);
    }

    /// <summary>The HTTP client gives the connection to the next request when it has read the end, while the relay is still busy with what came before.</summary>
    [Test]
    public async Task An_answer_whose_connection_serves_another_already_ends_without_waiting_for_that()
    {
        InProcessOnly("it adds a filter in code");
        var gate = new Gate();
        Setup.Services = services => services.AddSingleton<IResponseFilter>(gate);
        Upstream.Next(async exchange =>
        {
            await OneByOneAsync(exchange);
            string last = Sse.Event(Chat.Finish("stop"));
            await exchange.SendAsync($"{last.Length:x}\r\n{last}\r\n0\r\n\r\n");
        });
        var more = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await OneByOneAsync(exchange);
            await exchange.PauseAsync(more.Task);
            await exchange.ChunkAsync(Sse.Event(Chat.Finish("length")) + Sse.Done);
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawClient first = await SendJsonAsync(Chat.Request(stream: true));
        await Deadline.In(gate.Reached.Task);
        RawClient second = await SendJsonAsync(Chat.Request(stream: true));
        RawResponse other = await (await second.ReadHeadAsync()).ReadUntilAsync(s_words[^1]);
        Assert.That(Upstream.Requests.Select(r => r.Connection), Is.EqualTo(new[] { 0, 0 }));

        gate.Opened.SetResult();
        Assert.That((await first.ReadAsync()).End, Is.EqualTo(BodyEnd.Whole));
        more.SetResult();
        Assert.That((await other.ReadToEndAsync()).End, Is.EqualTo(BodyEnd.Whole));
        ExpectUpstreamRequests(2);
    }

    [Test]
    public async Task The_connection_of_an_answer_is_found_and_knows_when_it_is_within_it()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using SocketsHttpHandler handler = NewHandler();
        using var client = new HttpMessageInvoker(handler);
        var address = new Uri($"http://{listener.LocalEndpoint}/");
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        Task<HttpResponseMessage> sending = client.SendAsync(request, default);
        using Socket upstream = await listener.AcceptSocketAsync();
        await upstream.ReceiveAsync(new byte[1000]);
        await SendAsync(upstream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        using HttpResponseMessage response = await Deadline.In(sending);
        await using Stream body = await response.Content.ReadAsStreamAsync();
        byte[] room = new byte[100];

        Task<int> wait = UpstreamConnection.WaitFor(body, default, out UpstreamConnection? connection).AsTask();
        Assert.That((wait.IsCompleted, connection?.IsInAnswer(connection.Sent)), Is.EqualTo((false, true)));
        await SendAsync(upstream, "5\r\nhello\r\n");
        await wait;
        Assert.That((await body.ReadAsync(room), connection!.IsInAnswer(connection.Sent)), Is.EqualTo((5, true)));

        wait = connection.WaitAsync().AsTask();
        Assert.That(wait.IsCompleted, Is.False);
        await SendAsync(upstream, "6\r\n world\r\n");
        await wait;
        Task<int> read = body.ReadAsync(room).AsTask();
        Assert.That(read.IsCompleted, "all that came is at hand, and is read without a wait");
        Assert.That((await read, connection.IsInAnswer(connection.Sent)), Is.EqualTo((6, true)));

        await SendAsync(upstream, "1\r\n!\r\n0\r\n\r\n");
        await connection.WaitAsync();
        Assert.That((await body.ReadAsync(room), connection.IsInAnswer(connection.Sent)), Is.EqualTo((1, false)));
        Assert.That(await body.ReadAsync(room), Is.Zero);
    }

    private static async Task OneByOneAsync(UpstreamExchange exchange, int count = 6)
    {
        await exchange.StreamHeadAsync();
        foreach (string word in s_words[..count])
        {
            await exchange.EventsAsync(Chat.Delta(word));
            await exchange.TakenAsync();
        }
    }

    private static SocketsHttpHandler NewHandler() => new()
    {
        PlaintextStreamFilter = static (context, _) => new(new UpstreamConnection(context.PlaintextStream)),
    };

    private static async Task SendAsync(Socket socket, string text) => await socket.SendAsync(Encoding.ASCII.GetBytes(text));

    /// <summary>Holds the event by which a stream ends.</summary>
    private sealed class Gate : IResponseFilter
    {
        public TaskCompletionSource Reached { get; } = new();

        public TaskCompletionSource Opened { get; } = new();

        public async ValueTask OnEventAsync(LlmResponseEvent responseEvent, CancellationToken cancellationToken)
        {
            if (Encoding.UTF8.GetString(responseEvent.Data.Span).Contains("\"stop\"", StringComparison.Ordinal))
            {
                Reached.TrySetResult();
                await Opened.Task;
            }
        }

        public ValueTask OnAnswerAsync(LlmResponseAnswer answer, CancellationToken cancellationToken) => ValueTask.CompletedTask;
    }
}
