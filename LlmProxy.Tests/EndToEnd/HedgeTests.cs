using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A second target is asked when the first is slow; the first to commit is taken.</summary>
public sealed class HedgeTests : HedgeFixture
{
    [Test]
    public async Task A_second_target_overtakes_a_slow_first_one_which_is_ended_and_counts_as_well()
    {
        var firstClosed = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.PeerClosed;
            firstClosed.SetResult();
        });
        ExpectUpstreamRequests(2);
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request(stream: true));
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(answer);
        Contract.AssertWhole(await answer, Sse.Whole(Chat.Words("Hello", " there")));
        await Deadline.In(firstClosed.Task);
        RecordView record = await RecordAsync();
        Assert.That((record.Upstream, record.UpstreamModel, record.Attempts, record.End), Is.EqualTo(("second", "second-mini", 2, "ok")));
        Assert.That(record.Tried, Is.EqualTo("second ok, main superseded"));
        Assert.That((Upstream.Requests.Count, Second.Requests.Count), Is.EqualTo((1, 1)));
    }

    [Test]
    public async Task Nobody_else_is_asked_while_the_first_is_in_time()
    {
        await StartAsync();
        for (int i = 0; i < 5; i++)
        {
            Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        }

        Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.That((Upstream.Requests.Count, Second.Requests.Count), Is.EqualTo((5, 0)));
    }

    [Test]
    public async Task The_first_is_taken_if_it_commits_before_the_second()
    {
        var secondClosed = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(Gate.Task);
            await Replies.LikeOpenAI(exchange);
        });
        Second.Next(async exchange =>
        {
            await exchange.PeerClosed;
            secondClosed.SetResult();
        });
        ExpectUpstreamRequests(2);
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request());
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(Second.WaitForAsync());
        Gate.SetResult();
        Assert.That((await answer).Status, Is.EqualTo(200));
        await Deadline.In(secondClosed.Task);
        RecordView record = await RecordAsync();
        Assert.That((record.Upstream, record.Attempts), Is.EqualTo(("main", 2)));
    }

    [Test]
    public async Task If_the_first_fails_the_second_goes_on_as_its_failover()
    {
        ScriptedUpstream third = Add("third");
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(Gate.Task);
            await Replies.Json(500, Chat.Error("It burns."))(exchange);
        });
        var answers = new TaskCompletionSource();
        Second.Next(async exchange =>
        {
            await exchange.PauseAsync(answers.Task);
            await Replies.LikeOpenAI(exchange);
        });
        ExpectUpstreamRequests(2);
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request());
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(Second.WaitForAsync());
        Gate.SetResult();
        await Deadline.Until(() => Leaks.StateOf(App, "main").Places.Taken == 0);
        answers.SetResult();
        Assert.That((await answer).Status, Is.EqualTo(200));
        Assert.That(third.Requests, Is.Empty, "one failover, and it was under way already");
        Assert.That((await RecordAsync()).Upstream, Is.EqualTo("second"));
    }

    [Test]
    public async Task A_second_that_fails_changes_nothing_for_the_first()
    {
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(Gate.Task);
            await Replies.LikeOpenAI(exchange);
        });
        Second.Next(Replies.Json(400, Chat.Error("The second knows no such parameter.")));
        ExpectUpstreamRequests(2);
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request());
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(Second.WaitForAsync());
        await Deadline.Until(() => Leaks.StateOf(App, "second").Places.Taken == 0);
        Gate.SetResult();
        Assert.That((await answer).Status, Is.EqualTo(200));
        Assert.That((await RecordAsync()).Upstream, Is.EqualTo("main"));
    }

    [Test]
    public async Task When_both_fail_the_third_is_asked_and_not_hedged()
    {
        ScriptedUpstream third = Add("third");
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(Gate.Task);
            await Replies.Json(500, Chat.Error("It burns."))(exchange);
        });
        Second.Next(Replies.Json(503, Chat.Error("It burns, too.")));
        ExpectUpstreamRequests(3);
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request());
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(Second.WaitForAsync());
        Gate.SetResult();
        Assert.That((await answer).Status, Is.EqualTo(200));
        Assert.That(third.Requests, Has.Count.EqualTo(1));
        RecordView record = await RecordAsync();
        Assert.That((record.Upstream, record.Attempts), Is.EqualTo(("third", 3)));
    }

    [Test]
    public async Task A_client_that_goes_away_ends_both()
    {
        var closed = new CountdownEvent(2);
        Script untilClosed = async exchange =>
        {
            await exchange.PeerClosed;
            closed.Signal();
        };
        Upstream.Next(untilClosed);
        Second.Next(untilClosed);
        ExpectUpstreamRequests(2);
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(Second.WaitForAsync());
        await client.DisposeAsync();
        await Deadline.Until(() => closed.IsSet);
        Assert.That((await RecordAsync()).End, Is.EqualTo("client_disconnect"));
    }

    [Test]
    public async Task Held_events_that_a_heartbeat_asks_for_are_taken_of_one_only()
    {
        Setup.Main.Kind = Setup.Options.Upstreams["second"].Kind = UpstreamKind.OpenAI;
        Setup.Main.Timeouts.Heartbeat = TimeSpan.FromSeconds(15);
        Setup.Main.Timeouts.FirstEvent = Setup.Main.Timeouts.Total = TimeSpan.Zero;
        string rest = ResponseEvents.Delta("Hi", 2) + ResponseEvents.Completed(3);
        Script answer = async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(ResponseEvents.Begun);
            await exchange.PauseAsync(Gate.Task);
            await exchange.ChunkAsync(rest);
            await exchange.LastChunkAsync();
        };
        Upstream.Next(answer);
        Second.Next(answer);
        ExpectUpstreamRequests(2);
        await StartAsync();
        RawClient client = await SendJsonAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(Second.WaitForAsync());
        Task<RawResponse> head = client.ReadHeadAsync();
        await AdvanceUntilAsync(head);
        RawResponse response = await head;
        await AdvanceUntilAsync(response.ReadUntilAsync(ResponseEvents.Begun));
        Gate.SetResult();
        await response.ReadToEndAsync();
        Assert.That(response.End, Is.EqualTo(BodyEnd.Whole));
        Assert.That(response.Text.Split(ResponseEvents.Begun), Has.Length.EqualTo(2), "the held events of one of them");
        Assert.That((await RecordAsync()).End, Is.EqualTo("ok"));
    }
}
