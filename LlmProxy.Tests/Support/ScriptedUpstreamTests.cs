using System.Diagnostics;
using System.Text;
using NUnit.Framework;

namespace LlmProxy.Tests.Support;

/// <summary>The support is only worth something if it does and sees exactly what it claims; raw client against scripted upstream.</summary>
[TestFixture]
[NonParallelizable]
public sealed class ScriptedUpstreamTests
{
    private static readonly byte[] s_get = RawClient.Request("GET", "/v1/x", []);

    private ScriptedUpstream _upstream = null!;
    private RawClient _client = null!;

    [SetUp]
    public async Task ConnectAsync()
    {
        _upstream = new ScriptedUpstream();
        _client = await RawClient.ConnectAsync(_upstream.EndPoint);
    }

    [TearDown]
    public async Task DisposeAsync()
    {
        await _client.DisposeAsync();
        await _upstream.DisposeAsync();
        Assert.That(_upstream.Failures, Is.Empty);
    }

    [Test]
    public async Task A_connection_serves_one_request_after_the_other_each_recorded_with_its_body()
    {
        _upstream.Otherwise(Replies.Json(200, "{}"));
        await _client.SendAsync(RawClient.Request("POST", "/v1/a", "by length"u8, "X-One: 1"));
        Assert.That((await _client.ReadAsync()).Text, Is.EqualTo("{}"));
        await _client.SendAsync("POST /v1/b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nin \r\n6;x=y\r\nchunks\r\n0\r\n\r\n");
        Assert.That((await _client.ReadAsync()).End, Is.EqualTo(BodyEnd.Whole));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(_upstream.Requests.Select(r => r.Text), Is.EqualTo(new[] { "by length", "in chunks" }));
            Assert.That(_upstream.Requests.Select(r => r.Connection), Is.EqualTo(new[] { 0, 0 }));
            Assert.That(_upstream.Requests[0].Headers.Names(), Is.EqualTo(new[] { "content-length", "host", "x-one" }));
            Assert.That(Encoding.ASCII.GetString(_upstream.Requests[1].Head.Span), Does.StartWith("POST /v1/b HTTP/1.1\r\n").And.EndsWith("\r\n\r\n"));
        }
    }

    [Test]
    public async Task Scripts_are_played_in_order_and_then_the_general_one()
    {
        _upstream.Next(Replies.Json(500, "1"));
        _upstream.Next(Replies.Json(429, "2"));
        _upstream.Otherwise(Replies.Json(200, "3"));
        foreach (int status in (int[])[500, 429, 200, 200])
        {
            await _client.SendAsync(s_get);
            Assert.That((await _client.ReadAsync()).Status, Is.EqualTo(status));
        }
    }

    [Test]
    public async Task A_chunked_stream_is_whole_with_its_last_chunk_and_unterminated_without()
    {
        _upstream.Next(Replies.Stream("1", "2"));
        _upstream.Next(Replies.StreamThen(["1"], exchange =>
        {
            exchange.Close();
            return Task.CompletedTask;
        }));
        await _client.SendAsync(s_get);
        RawResponse whole = await _client.ReadAsync();
        await _client.SendAsync(s_get);
        RawResponse broken = await _client.ReadAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(whole.End, Is.EqualTo(BodyEnd.Whole));
            Assert.That(whole.Text, Is.EqualTo(Sse.Whole("1", "2")));
            Assert.That(whole.Chunks, Has.Count.EqualTo(3));
            Assert.That(Sse.Data(whole.Text), Is.EqualTo(new[] { "1", "2", "[DONE]" }));
            Assert.That(broken.End, Is.EqualTo(BodyEnd.Unterminated));
            Assert.That(broken.Text, Is.EqualTo(Sse.Event("1")));
        }
    }

    [Test]
    public async Task A_body_cut_short_of_its_length_is_unterminated()
    {
        _upstream.Next(async exchange =>
        {
            await exchange.HeadAsync(200, ("Content-Length", "10"));
            await exchange.SendAsync("12345");
            exchange.HalfClose();
            await exchange.StallAsync();
        });
        await _client.SendAsync(s_get);
        RawResponse response = await _client.ReadAsync();
        Assert.That(response.End, Is.EqualTo(BodyEnd.Unterminated));
        Assert.That(response.Text, Is.EqualTo("12345"));
    }

    [Test]
    public async Task A_reset_is_seen_as_a_reset()
    {
        var gate = new TaskCompletionSource();
        _upstream.Next(Replies.StreamThen(["1"], async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            exchange.Reset();
        }));
        await _client.SendAsync(s_get);
        RawResponse response = await (await _client.ReadHeadAsync()).ReadUntilAsync("1");
        gate.SetResult();
        await response.ReadToEndAsync();
        Assert.That(response.End, Is.EqualTo(BodyEnd.Reset));
    }

    [TestCase(false, TestName = "{m}_by_FIN")]
    [TestCase(true, TestName = "{m}_by_RST")]
    public async Task A_stalled_script_notices_that_the_peer_closed(bool reset)
    {
        Task<long>? closed = null;
        _upstream.Next(async exchange =>
        {
            closed = exchange.PeerClosed;
            await exchange.StreamHeadAsync();
            await exchange.StallAsync();
        });
        await _client.SendAsync(s_get);
        await _client.ReadHeadAsync();
        long before = Stopwatch.GetTimestamp();
        if (reset)
        {
            _client.Reset();
        }
        else
        {
            _client.Close();
        }

        Assert.That(await Deadline.In(closed!), Is.GreaterThanOrEqualTo(before));
        await Deadline.Until(() => _upstream.OpenConnections == 0);
    }

    [Test]
    public async Task A_piece_that_the_peer_has_not_read_is_known_as_untaken()
    {
        Assume.That(SocketQueues.IsSupported);
        var sent = new TaskCompletionSource();
        var taken = new TaskCompletionSource();
        _upstream.Next(async exchange =>
        {
            await exchange.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n12");
            sent.SetResult();
            await exchange.TakenAsync();
            taken.SetResult();
            await exchange.SendAsync("34");
        });
        await _client.SendAsync(s_get);
        await Deadline.In(sent.Task);
        await Task.Yield();
        Assert.That(taken.Task.IsCompleted, Is.False);
        RawResponse response = await _client.ReadAsync();
        Assert.That(taken.Task.IsCompleted);
        Assert.That(response.Arrivals.Select(a => a.Bytes), Is.EqualTo(new[] { 2, 2 }));
    }

    [Test]
    public async Task A_script_that_fails_is_a_failure_of_the_test()
    {
        var broken = new ScriptedUpstream();
        broken.Next(_ => throw new InvalidOperationException("a bug in a script"));
        await using (RawClient client = await RawClient.ConnectAsync(broken.EndPoint))
        {
            await client.SendAsync(s_get);
            await client.WaitForCloseAsync();
        }

        await broken.DisposeAsync();
        Assert.That(broken.Failures.Single().Message, Is.EqualTo("a bug in a script"));
    }

    [Test]
    public async Task Every_socket_is_closed_when_both_sides_are_disposed()
    {
        int before = SocketQueues.Open();
        var other = new ScriptedUpstream();
        RawClient client = await RawClient.ConnectAsync(other.EndPoint);
        await client.SendAsync(s_get);
        await client.ReadAsync();
        Assert.That(SocketQueues.Open(), Is.GreaterThan(before).Or.EqualTo(-1));
        await client.DisposeAsync();
        await other.DisposeAsync();
        await Invariants.AssertSocketsAsync(before);
    }
}
