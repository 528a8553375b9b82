using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A first that still waits for a place at its upstream when the second is asked.</summary>
public sealed class HedgeQueueTests : HedgeFixture
{
    private TaskCompletionSource _free = null!;

    [SetUp]
    public void UseOnePlaceEach()
    {
        _free = new TaskCompletionSource();
        Setup.Main.Concurrent = Setup.Options.Upstreams["second"].Concurrent = 1;
        Setup.Options.Models["held"] = ProxySetup.Model("main", Chat.UpstreamModel);
        Setup.Options.Models["busy"] = ProxySetup.Model("second", "second-mini");
    }

    [Test]
    public async Task Whoever_waits_for_a_place_leaves_the_queue_when_the_second_has_answered()
    {
        Upstream.Otherwise(After(Gate.Task, Replies.LikeOpenAI));
        ExpectUpstreamRequests(3);
        await StartAsync();
        (Task<RawResponse> holder, Task<RawResponse> waiting) = await WaitAtMainAsync(seen: 1);
        await AdvanceUntilAsync(waiting);
        Assert.That((await waiting).Status, Is.EqualTo(200));
        Assert.That(Leaks.StateOf(App, "main").Places.Waiting, Is.Zero);
        Gate.SetResult();
        await holder;
        Assert.That((Upstream.Requests.Count, Second.Requests.Count), Is.EqualTo((1, 2)));
    }

    [Test]
    public async Task Who_is_turned_away_from_the_queue_meanwhile_was_not_asked_and_may_be_when_the_second_has_failed()
    {
        Setup.Main.Breaker.Requests = 2;
        Upstream.Next(Replies.Json(503, Chat.Error("A")));
        Upstream.Next(After(Gate.Task, Replies.Json(503, Chat.Error("B"))));
        var failing = new TaskCompletionSource();
        ExpectUpstreamRequests(5);
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request(model: "held"))).Status, Is.EqualTo(503));
        (Task<RawResponse> holder, Task<RawResponse> waiting) = await WaitAtMainAsync(seen: 2, After(failing.Task, Replies.Json(503, Chat.Error("C"))));
        await AdvanceUntilAsync(Second.WaitForAsync(2));
        Gate.SetResult();
        Assert.That((await holder).Status, Is.EqualTo(503));
        await Deadline.Until(() => Leaks.StateOf(App, "main").Places is { Waiting: 0, Taken: 0 }, what: "the place, which the breaker does not let it take");
        Assert.That(Leaks.StateOf(App, "main").Breaker.IsOpen);
        Clock.Advance(Setup.Main.Breaker.OpenFor);
        failing.SetResult();
        Assert.That((await waiting).Status, Is.EqualTo(200), "main is the probe");
        Assert.That((Upstream.Requests.Count, Second.Requests.Count), Is.EqualTo((3, 2)));
        await Deadline.Until(() => Proxy.Records.Count == 4, what: "all records");
        Assert.That(Proxy.Records.Select(r => r.Attempts), Is.EquivalentTo(new[] { 1, 1, 1, 2 }));
    }

    [Test]
    public async Task Who_is_ended_in_the_queue_costs_nothing_of_the_budget_of_extra_attempts()
    {
        ScriptedUpstream failing = Add("failing");
        Setup.Mini.Targets.Insert(0, Setup.Mini.Targets[^1]);
        Setup.Mini.Targets.RemoveAt(3);
        Setup.Options.Failover = new FailoverOptions { BudgetPercent = 0, BudgetLeast = 1 };
        Setup.Mini.Hedge!.After = TimeSpan.FromMilliseconds(100);
        failing.Otherwise(Replies.Json(500, Chat.Error("A")));
        Upstream.Next(After(Gate.Task, Replies.LikeOpenAI));
        ExpectUpstreamRequests(6);
        await StartAsync();
        (Task<RawResponse> holder, Task<RawResponse> waiting) = await WaitAtMainAsync(seen: 1);
        await AdvanceUntilAsync(waiting, stepMs: 50);
        Assert.That((await waiting).Status, Is.EqualTo(200), "by the hedge: the extra attempt was for main, which never got it");
        Gate.SetResult();
        await holder;

        // The client has its answer before the one who is ended knows of it.
        await Deadline.Until(() => Leaks.PoolOf(App, "gpt-4o-mini").State.Extra.HasRoom(Core.Balancing.Clock.Ms(Clock), percent: 0, least: 1), what: "room for an extra attempt");
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200), "by main");
        Assert.That((failing.Requests.Count, Upstream.Requests.Count, Second.Requests.Count), Is.EqualTo((2, 2, 2)));
    }

    private static Script After(Task gate, Script script) => async exchange =>
    {
        await exchange.PauseAsync(gate);
        await script(exchange);
    };

    /// <summary>Both are busy when it comes, so it waits for the first; by the time of the hedge the second is free.</summary>
    private async Task<(Task<RawResponse> Holder, Task<RawResponse> Waiting)> WaitAtMainAsync(int seen, Script? second = null)
    {
        Second.Next(After(_free.Task, Replies.LikeOpenAI));
        Second.Next(second ?? Replies.LikeOpenAI);
        Task<RawResponse> holder = PostAsync(Chat.Request(model: "held"));
        await Upstream.WaitForAsync(seen);
        Task<RawResponse> busy = PostAsync(Chat.Request(model: "busy"));
        await Second.WaitForAsync();
        Task<RawResponse> waiting = PostAsync(Chat.Request());
        await Deadline.Until(() => Leaks.StateOf(App, "main").Places.Waiting == 1);
        _free.SetResult();
        await busy;
        return (holder, waiting);
    }
}
