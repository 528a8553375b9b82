using System.Diagnostics;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A client that leaves takes its upstream request with it.</summary>
public sealed class DisconnectTests : ProxyFixture
{
    private const int Rounds = 7;

    [TestCase(true, false, TestName = "C30_a_client_that_closes_mid_stream_ends_the_upstream_request_within_100_ms", Category = "C30")]
    [TestCase(true, true, TestName = "C30_a_client_that_resets_mid_stream_ends_the_upstream_request_within_100_ms", Category = "C30")]
    [TestCase(false, false, TestName = "C29_a_client_that_closes_before_any_answer_ends_the_upstream_request_within_100_ms", Category = "C29")]
    public async Task Leaves(bool midStream, bool reset)
    {
        Task<long>? closed = null;
        Upstream.Otherwise(async exchange =>
        {
            closed = exchange.PeerClosed;
            if (midStream)
            {
                await exchange.StreamHeadAsync();
                await exchange.EventsAsync(Chat.Role(), Chat.Delta("Hel"));
            }

            await exchange.StallAsync();
        });
        await StartAsync();
        var delays = new List<TimeSpan>();
        for (int i = 0; i < Rounds; i++)
        {
            RawClient client = await SendJsonAsync(Chat.Request(stream: true));
            await Upstream.WaitForAsync(i + 1);
            if (midStream)
            {
                await (await client.ReadHeadAsync()).ReadUntilAsync("Hel");
            }

            await Deadline.Until(() => Volatile.Read(ref closed) is { IsCompleted: false });
            long left = Stopwatch.GetTimestamp();
            Leave(client, reset);
            delays.Add(Stopwatch.GetElapsedTime(left, await Deadline.In(closed!)));
        }

        // The median, because a busy machine may hold up any one of them.
        Assert.That(delays.Order().ElementAt(Rounds / 2), Is.LessThanOrEqualTo(TimeSpan.FromMilliseconds(100)));
        await Deadline.Until(() => Proxy.Records.Count == Rounds);
        Assert.That(
            Proxy.Records.Select(r => (r.End, r.Blame, r.Status, r.Attempts)),
            Is.All.EqualTo(("client_disconnect", "client", midStream ? 200 : 499, 1)));
    }

    [Test]
    [Category("C28")]
    public async Task C28_a_client_that_leaves_while_it_sends_its_body_causes_no_upstream_request()
    {
        await StartAsync();
        RawClient client = await SendAsync(System.Text.Encoding.ASCII.GetBytes(
            $"POST {ChatPath} HTTP/1.1\r\nHost: x\r\n{Authorization}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{\"model\":"));
        await Deadline.Until(() => Proxy.Entered is null or 1);
        client.Close();
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Status, record.Attempts), Is.EqualTo(("client_disconnect", "client", 499, 0)));
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task A_hundred_clients_that_leave_at_once_leave_nothing_behind()
    {
        Upstream.Otherwise(Replies.StreamThen([Chat.Delta("Hel")], exchange => exchange.StallAsync()));
        await StartAsync();
        var clients = new List<RawClient>();
        for (int i = 0; i < 100; i++)
        {
            clients.Add(await SendJsonAsync(Chat.Request(stream: true)));
        }

        foreach (RawClient client in clients)
        {
            await (await client.ReadHeadAsync()).ReadUntilAsync("Hel");
        }

        clients.ForEach(client => client.Reset());
        await Deadline.Until(() => Upstream.OpenConnections == 0, TimeSpan.FromSeconds(2));
        await Deadline.Until(() => Proxy.Records.Count == 100);
        Assert.That(Proxy.Records.Select(r => r.End), Is.All.EqualTo("client_disconnect"));
    }

    [Test]
    public async Task A_client_that_leaves_after_the_end_is_no_disconnect()
    {
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await client.ReadAsync();
        client.Close();
        Assert.That((await RecordAsync()).End, Is.EqualTo("ok"));
    }

    private static void Leave(RawClient client, bool reset)
    {
        if (reset)
        {
            client.Reset();
        }
        else
        {
            client.Close();
        }
    }
}
