using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A second target is asked when the first is slow; the first to commit is taken.</summary>
public sealed class HedgeTests : ProxyFixture
{
    private FakeTimeProvider _clock = null!;
    private ScriptedUpstream _second = null!;
    private TaskCompletionSource _gate = null!;

    [SetUp]
    public void UseTwoTargets()
    {
        InProcessOnly("time stands still");
        _clock = Setup.UseFakeClock();
        _gate = new TaskCompletionSource();
        _second = Add("second");
        Setup.Mini.Hedge = new HedgeOptions { After = TimeSpan.FromSeconds(2), BudgetPercent = 100 };
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
    }

    [TearDown]
    public Task AssertNoLeaksAsync() => Leaks.AssertNoneAsync(App);

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
        Assert.That((Upstream.Requests.Count, _second.Requests.Count), Is.EqualTo((1, 1)));
    }

    [Test]
    public async Task Nobody_else_is_asked_while_the_first_is_in_time()
    {
        await StartAsync();
        for (int i = 0; i < 5; i++)
        {
            Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        }

        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.That((Upstream.Requests.Count, _second.Requests.Count), Is.EqualTo((5, 0)));
    }

    [Test]
    public async Task The_first_is_taken_if_it_commits_before_the_second()
    {
        var secondClosed = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(_gate.Task);
            await Replies.LikeOpenAI(exchange);
        });
        _second.Next(async exchange =>
        {
            await exchange.PeerClosed;
            secondClosed.SetResult();
        });
        ExpectUpstreamRequests(2);
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request());
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(_second.WaitForAsync());
        _gate.SetResult();
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
            await exchange.PauseAsync(_gate.Task);
            await Replies.Json(500, Chat.Error("It burns."))(exchange);
        });
        var answers = new TaskCompletionSource();
        _second.Next(async exchange =>
        {
            await exchange.PauseAsync(answers.Task);
            await Replies.LikeOpenAI(exchange);
        });
        ExpectUpstreamRequests(2);
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request());
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(_second.WaitForAsync());
        _gate.SetResult();
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
            await exchange.PauseAsync(_gate.Task);
            await Replies.LikeOpenAI(exchange);
        });
        _second.Next(Replies.Json(400, Chat.Error("The second knows no such parameter.")));
        ExpectUpstreamRequests(2);
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request());
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(_second.WaitForAsync());
        await Deadline.Until(() => Leaks.StateOf(App, "second").Places.Taken == 0);
        _gate.SetResult();
        Assert.That((await answer).Status, Is.EqualTo(200));
        Assert.That((await RecordAsync()).Upstream, Is.EqualTo("main"));
    }

    [Test]
    public async Task When_both_fail_the_third_is_asked_and_not_hedged()
    {
        ScriptedUpstream third = Add("third");
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(_gate.Task);
            await Replies.Json(500, Chat.Error("It burns."))(exchange);
        });
        _second.Next(Replies.Json(503, Chat.Error("It burns, too.")));
        ExpectUpstreamRequests(3);
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request());
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(_second.WaitForAsync());
        _gate.SetResult();
        Assert.That((await answer).Status, Is.EqualTo(200));
        Assert.That(third.Requests, Has.Count.EqualTo(1));
        RecordView record = await RecordAsync();
        Assert.That((record.Upstream, record.Attempts), Is.EqualTo(("third", 3)));
    }

    [Test]
    public async Task A_loser_says_nothing_of_its_upstream_s_health()
    {
        Setup.Main.Breaker.Requests = 2;
        Upstream.Otherwise(Replies.Silence);
        ExpectUpstreamRequests(12);
        await StartAsync();
        for (int i = 1; i <= 6; i++)
        {
            Task<RawResponse> answer = PostAsync(Chat.Request());
            await Upstream.WaitForAsync(i);
            await AdvanceUntilAsync(answer);
            Assert.That((await answer).Status, Is.EqualTo(200));
        }

        Assert.That(Leaks.StateOf(App, "main").Breaker.IsOpen, Is.False);
        Assert.That((Upstream.Requests.Count, _second.Requests.Count), Is.EqualTo((6, 6)));
    }

    [Test]
    public async Task Past_the_budget_requests_wait_as_if_nobody_hedged()
    {
        Setup.Mini.Hedge!.BudgetPercent = 5;
        var gates = new SemaphoreSlim(0);
        Upstream.Otherwise(async exchange =>
        {
            await exchange.PauseAsync(gates.WaitAsync());
            await Replies.LikeOpenAI(exchange);
        });
        _second.Otherwise(Replies.Silence);
        ExpectUpstreamRequests(5);
        await StartAsync();
        Task<RawResponse>[] answers = [.. Enumerable.Range(0, 4).Select(_ => PostAsync(Chat.Request()))];
        await Upstream.WaitForAsync(4);
        await AdvanceUntilAsync(_second.WaitForAsync());
        for (int i = 0; i < 10; i++)
        {
            _clock.Advance(TimeSpan.FromSeconds(2));
            await Task.Delay(5);
        }

        gates.Release(4);
        foreach (Task<RawResponse> answer in answers)
        {
            Assert.That((await answer).Status, Is.EqualTo(200));
        }

        Assert.That(_second.Requests, Has.Count.EqualTo(1), "one is saved from the start, four requests save a fifth of another");
    }

    [Test]
    public async Task Without_a_time_of_its_own_nothing_is_hedged_before_the_usual_time_is_known()
    {
        Setup.Mini.Hedge!.After = null;
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(_gate.Task);
            await Replies.LikeOpenAI(exchange);
        });
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request());
        await Upstream.WaitForAsync();
        for (int i = 0; i < 10; i++)
        {
            _clock.Advance(TimeSpan.FromSeconds(20));
            await Task.Delay(5);
        }

        _gate.SetResult();
        Assert.That((await answer).Status, Is.EqualTo(200));
        Assert.That(_second.Requests, Is.Empty);
    }

    [Test]
    public async Task Once_the_usual_time_is_known_what_is_slower_is_hedged()
    {
        Setup.Mini.Hedge!.After = null;
        ExpectUpstreamRequests(42);
        await StartAsync();
        for (int i = 0; i < 40; i++)
        {
            await PostAsync(Chat.Request());
        }

        Upstream.Next(Replies.Silence);
        Task<RawResponse> answer = PostAsync(Chat.Request());
        await Upstream.WaitForAsync(41);
        await AdvanceUntilAsync(answer);
        Assert.That((await answer).Status, Is.EqualTo(200));
        Assert.That(_second.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Whoever_waits_for_a_place_leaves_the_queue_when_the_second_has_answered()
    {
        Setup.Main.Concurrent = 1;
        Upstream.Otherwise(async exchange =>
        {
            await exchange.PauseAsync(_gate.Task);
            await Replies.LikeOpenAI(exchange);
        });

        // It is busy itself when the second request comes, and free by the time of the hedge.
        Setup.Options.Upstreams["second"].Concurrent = 1;
        var free = new TaskCompletionSource();
        _second.Next(async exchange =>
        {
            await exchange.PauseAsync(free.Task);
            await Replies.LikeOpenAI(exchange);
        });
        Setup.Options.Models["busy"] = ProxySetup.Model("second", "second-mini");
        ExpectUpstreamRequests(3);
        await StartAsync();
        Task<RawResponse> holder = PostAsync(Chat.Request());
        await Upstream.WaitForAsync();
        Task<RawResponse> busy = PostAsync(Chat.Request(model: "busy"));
        await _second.WaitForAsync();
        Task<RawResponse> waiting = PostAsync(Chat.Request());
        await Deadline.Until(() => Leaks.StateOf(App, "main").Places.Waiting == 1);
        free.SetResult();
        await busy;
        await AdvanceUntilAsync(waiting);
        Assert.That((await waiting).Status, Is.EqualTo(200));
        Assert.That(Leaks.StateOf(App, "main").Places.Waiting, Is.Zero);
        _gate.SetResult();
        await holder;
        Assert.That((Upstream.Requests.Count, _second.Requests.Count), Is.EqualTo((1, 2)));
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
        _second.Next(untilClosed);
        ExpectUpstreamRequests(2);
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(_second.WaitForAsync());
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
            await exchange.PauseAsync(_gate.Task);
            await exchange.ChunkAsync(rest);
            await exchange.LastChunkAsync();
        };
        Upstream.Next(answer);
        _second.Next(answer);
        ExpectUpstreamRequests(2);
        await StartAsync();
        RawClient client = await SendJsonAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(_second.WaitForAsync());
        Task<RawResponse> head = client.ReadHeadAsync();
        await AdvanceUntilAsync(head);
        RawResponse response = await head;
        await AdvanceUntilAsync(response.ReadUntilAsync(ResponseEvents.Begun));
        _gate.SetResult();
        await response.ReadToEndAsync();
        Assert.That(response.End, Is.EqualTo(BodyEnd.Whole));
        Assert.That(response.Text.Split(ResponseEvents.Begun), Has.Length.EqualTo(2), "the held events of one of them");
        Assert.That((await RecordAsync()).End, Is.EqualTo("ok"));
    }

    private ScriptedUpstream Add(string name)
    {
        ScriptedUpstream upstream = NewUpstream();
        Setup.Options.Upstreams[name] = ProxySetup.Upstream(upstream.Url);
        Setup.Mini.Targets.Add(new TargetOptions { Upstream = name, Model = name + "-mini" });
        return upstream;
    }

    /// <summary>Time passes until it is done; a timer that is set late has its time, too.</summary>
    private async Task AdvanceUntilAsync(Task done)
    {
        for (int i = 0; i < 400 && !done.IsCompleted; i++)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(500));
            await Task.WhenAny(done, Task.Delay(10));
        }

        await Deadline.In(done);
    }
}
