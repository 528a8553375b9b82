using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>An upstream that takes only so many requests at once.</summary>
[Category("L07")]
public sealed class PlacesTests : FailoverFixture
{
    private SemaphoreSlim _turns = null!;

    [SetUp]
    public void LimitMain()
    {
        InProcessOnly("it looks at the states");
        _turns = new SemaphoreSlim(0);
        Setup.Main.Concurrent = 2;
        Upstream.Otherwise(async exchange =>
        {
            await exchange.PauseAsync(_turns.WaitAsync());
            await Replies.LikeOpenAI(exchange);
        });
    }

    [Test]
    public async Task L07_no_more_than_that_are_there_and_the_others_come_in_their_order()
    {
        UseMainAlone();
        await StartAsync();
        var asked = new List<Task<RawResponse>>();
        for (int i = 0; i < 6; i++)
        {
            asked.Add(PostAsync(Chat.Request(more: $",\"seed\":{i}")));
            int number = i;
            await Deadline.Until(() => MainStatus.InFlight + MainStatus.Waiting == number + 1);
        }

        Assert.That((Upstream.Requests.Count, MainStatus.InFlight, MainStatus.Waiting), Is.EqualTo((2, 2, 4)));
        for (int i = 3; i <= 6; i++)
        {
            _turns.Release();
            await Upstream.WaitForAsync(i);
            Assert.That(MainStatus.InFlight, Is.EqualTo(2));
        }

        _turns.Release(2);
        Assert.That((await Deadline.In(Task.WhenAll(asked))).Select(r => r.Status), Is.All.EqualTo(200));
        Assert.That(Upstream.Requests.Skip(2).Select(r => (int)r.Json["seed"]!), Is.EqualTo(new[] { 2, 3, 4, 5 }));
        Assert.That((MainStatus.InFlight, MainStatus.Waiting), Is.EqualTo((0, 0)));
        AssertSeen(6, 0);
    }

    [Test]
    public async Task L07_one_caller_who_sends_much_does_not_keep_another_out()
    {
        UseMainAlone();
        await StartAsync();
        var asked = new List<Task<RawResponse>>();
        for (int i = 0; i < 6; i++)
        {
            asked.Add(PostAsync(Chat.Request(more: $",\"seed\":{i}")));
            int number = i;
            await Deadline.Until(() => MainStatus.InFlight + MainStatus.Waiting == number + 1);
        }

        byte[] body = System.Text.Encoding.UTF8.GetBytes(Chat.Request(more: ",\"seed\":100"));
        RawClient other = await SendAsync(RawClient.Request(
            "POST", ChatPath, body, "Authorization: Bearer " + Canary.OtherClientKey, "Content-Type: application/json"));
        await Deadline.Until(() => MainStatus.Waiting == 5);
        _turns.Release(2);
        await Upstream.WaitForAsync(4);
        Assert.That(Upstream.Requests.Skip(2).Select(r => (int)r.Json["seed"]!), Is.EquivalentTo(new[] { 2, 100 }), "in turn");
        _turns.Release(10);
        Assert.That((await Deadline.In(Task.WhenAll(asked.Append(other.ReadAsync())))).Select(r => r.Status), Is.All.EqualTo(200));
        AssertSeen(7, 0);
    }

    [Test]
    public async Task L07_who_has_waited_long_enough_or_finds_the_queue_full_is_told_so()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        UseMainAlone();
        Setup.Main.Queue.Requests = 1;
        Setup.Main.Queue.Wait = TimeSpan.FromSeconds(4);
        await StartAsync();
        Task<RawResponse>[] there = [PostAsync(Chat.Request()), PostAsync(Chat.Request())];
        await Upstream.WaitForAsync(2);
        Task<RawResponse> waiting = PostAsync(Chat.Request(stream: true));
        await Deadline.Until(() => MainStatus.Waiting == 1);
        Contract.AssertError(await PostAsync(Chat.Request()), 503, "upstream_saturated");
        Assert.That(waiting.IsCompleted, Is.False);
        await AdvanceUntilAsync(clock, waiting, TimeSpan.FromSeconds(1));
        Contract.AssertError(await waiting, 503, "upstream_saturated");
        Assert.That(MainStatus.Waiting, Is.Zero);
        _turns.Release(2);
        Assert.That((await Task.WhenAll(there)).Select(r => r.Status), Is.All.EqualTo(200));
        AssertSeen(2, 0);
    }

    [Test]
    public async Task L07_a_client_that_leaves_the_queue_is_not_asked_for()
    {
        UseMainAlone();
        await StartAsync();
        Task<RawResponse>[] there = [PostAsync(Chat.Request()), PostAsync(Chat.Request())];
        await Upstream.WaitForAsync(2);
        RawClient leaves = await SendJsonAsync(Chat.Request(more: ",\"seed\":7"));
        await Deadline.Until(() => MainStatus.Waiting == 1);
        leaves.Reset();
        await Deadline.Until(() => MainStatus.Waiting == 0);
        _turns.Release(2);
        await Task.WhenAll(there);
        await Deadline.Until(() => Proxy.Records.Count == 3);
        Assert.That(Proxy.Records.Select(r => (r.End, r.Attempts)), Is.EquivalentTo(new[] { ("ok", 1), ("ok", 1), ("client_disconnect", 0) }));
        AssertSeen(2, 0);
    }

    [Test]
    public async Task L07_a_full_target_is_passed_over_before_anybody_waits()
    {
        await StartAsync();
        Task<RawResponse>[] there = [PostAsync(Chat.Request()), PostAsync(Chat.Request())];
        await Upstream.WaitForAsync(2);
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That(MainStatus.Waiting, Is.Zero);
        _turns.Release(2);
        await Task.WhenAll(there);
        AssertSeen(2, 1);
    }

    [Test]
    public async Task L07_a_place_is_held_to_the_end_of_a_stream()
    {
        UseMainAlone();
        Setup.Main.Concurrent = 1;
        Upstream.Next(Replies.StreamThen([Chat.Delta("Hel")], async exchange =>
        {
            await exchange.PauseAsync(_turns.WaitAsync());
            await exchange.EventsAsync(Chat.Finish(), "[DONE]");
            await exchange.LastChunkAsync();
        }));
        await StartAsync();
        RawResponse first = await (await SendJsonAsync(Chat.Request(stream: true))).ReadHeadAsync();
        await first.ReadUntilAsync("Hel");
        Task<RawResponse> second = PostAsync(Chat.Request());
        await Deadline.Until(() => MainStatus.Waiting == 1);
        Assert.That(Upstream.Requests, Has.Count.EqualTo(1));
        _turns.Release(2);
        await first.ReadToEndAsync();
        Assert.That((await second).Status, Is.EqualTo(200));
        AssertSeen(2, 0);
    }

    [Test]
    public async Task A_thousand_requests_that_end_in_every_way_leave_no_place_taken()
    {
        Setup.Main.Concurrent = 8;
        Setup.Main.Queue = new QueueOptions { Requests = 4, Wait = TimeSpan.FromMilliseconds(50) };
        Setup.Main.Breaker.OpenFor = TimeSpan.FromMilliseconds(500);
        Script any = Any(new Random(11));
        Upstream.Otherwise(any);
        Spare.Otherwise(any);
        Setup.Main.Timeouts.FirstEvent = Setup.Main.Timeouts.Response = TimeSpan.FromMilliseconds(200);
        Setup.Options.Upstreams["spare"].Timeouts = Setup.Main.Timeouts;
        await StartAsync();
        foreach (int[] wave in Enumerable.Range(0, 1000).Chunk(40))
        {
            await Deadline.In(Task.WhenAll(wave.Select(async i =>
            {
                RawClient client = await SendJsonAsync(Chat.Request(stream: i % 2 == 0));
                if (i % 7 == 0)
                {
                    client.Reset();
                    return;
                }

                try
                {
                    await client.ReadAsync();
                }
                catch (IOException)
                {
                    // It was broken off, as it should be.
                }
            })));
        }

        // Some have left before anybody could see that they had come.
        await Deadline.Until(() => Proxy.Records.Count == Proxy.Entered && Proxy.Records.Count > 850);
        await Deadline.Until(() => MainStatus.InFlight == 0 && StatusOf("spare").InFlight == 0 && MainStatus.Waiting == 0);
        ExpectUpstreamRequests(Upstream.Requests.Count + Spare.Requests.Count);
    }

    private static Script Any(Random random)
    {
        Script[] scripts =
        [
            Replies.LikeOpenAI, Replies.LikeOpenAI, Replies.LikeOpenAI, Replies.Json(503, Chat.Error("A")), Replies.Json(400, Chat.Error("B")), Replies.Html(200),
            Replies.StreamThen([Chat.Delta("x")], e =>
            {
                e.Reset();
                return Task.CompletedTask;
            }),
            Replies.StreamThen([Chat.Role()], e =>
            {
                e.Close();
                return Task.CompletedTask;
            }),
            Replies.Silence,
        ];
        return exchange =>
        {
            lock (random)
            {
                return scripts[random.Next(scripts.Length)](exchange);
            }
        };
    }
}
