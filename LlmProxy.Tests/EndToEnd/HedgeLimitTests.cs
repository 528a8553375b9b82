using LlmProxy.Core.Accounting;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>When requests are hedged and when not, and what hedges leave behind.</summary>
public sealed class HedgeLimitTests : HedgeFixture
{
    [Test]
    public async Task What_a_loser_had_said_of_its_usage_is_in_the_record()
    {
        var records = new KeptRecords();
        Setup.Services = services => services.AddSingleton<IRecordSink>(records);
        Setup.Main.Kind = Setup.Options.Upstreams["second"].Kind = UpstreamKind.Anthropic;
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(MessageEvents.Begun);
            await exchange.TakenAsync();
            Gate.SetResult();
            await exchange.StallAsync();
        });
        Second.Next(Replies.StreamOf(MessageEvents.Whole("Hi")));
        ExpectUpstreamRequests(2);
        await StartAsync();
        Task<RawResponse> answer = PostAsync(MessageEvents.Request(stream: true), MessageEvents.Path, MessageEvents.Version);
        await Deadline.In(Gate.Task);
        await AdvanceUntilAsync(answer);
        Assert.That((await answer).End, Is.EqualTo(BodyEnd.Whole));
        await Deadline.Until(() => records.All.Count == 1, what: "the record");
        AttemptRecord lost = records.All.Single().Tried.Single(t => t.End == "superseded");
        Assert.That((lost.Upstream, lost.InputTokens, lost.OutputTokens), Is.EqualTo(("main", (long?)132, (long?)null)));
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
        Second.Otherwise(Replies.Silence);
        ExpectUpstreamRequests(5);
        await StartAsync();
        Task<RawResponse>[] answers = [.. Enumerable.Range(0, 4).Select(_ => PostAsync(Chat.Request()))];
        await Upstream.WaitForAsync(4);
        await AdvanceUntilAsync(Second.WaitForAsync());
        for (int i = 0; i < 10; i++)
        {
            Clock.Advance(TimeSpan.FromSeconds(2));
            // Nothing is to happen, so there is nothing to wait for: what would come is given a moment to come.
            await Task.Delay(5);
        }

        gates.Release(4);
        foreach (Task<RawResponse> answer in answers)
        {
            Assert.That((await answer).Status, Is.EqualTo(200));
        }

        Assert.That(Second.Requests, Has.Count.EqualTo(1), "one is saved from the start, four requests save a fifth of another");
    }

    [Test]
    public async Task Without_a_time_of_its_own_nothing_is_hedged_before_the_usual_time_is_known()
    {
        Setup.Mini.Hedge!.After = null;
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(Gate.Task);
            await Replies.LikeOpenAI(exchange);
        });
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request());
        await Upstream.WaitForAsync();
        for (int i = 0; i < 10; i++)
        {
            Clock.Advance(TimeSpan.FromSeconds(20));
            // Nothing is to happen, so there is nothing to wait for: what would come is given a moment to come.
            await Task.Delay(5);
        }

        Gate.SetResult();
        Assert.That((await answer).Status, Is.EqualTo(200));
        Assert.That(Second.Requests, Is.Empty);
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
        Assert.That(Second.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task What_was_too_long_for_either_of_two_goes_to_none_that_is_smaller_than_the_larger_of_them()
    {
        ScriptedUpstream third = Add("third");
        (Setup.Mini.Targets[0].Context, Setup.Mini.Targets[1].Context, Setup.Mini.Targets[2].Context) = (32768, 8192, 16384);
        var other = new TaskCompletionSource();
        Upstream.Next(TooLong(Gate));
        Second.Next(TooLong(other));
        ExpectUpstreamRequests(2);
        await StartAsync();
        Task<RawResponse> answer = PostAsync(Chat.Request());
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(Second.WaitForAsync());
        Gate.SetResult();
        await Deadline.Until(() => Leaks.StateOf(App, "main").Places.Taken == 0);
        other.SetResult();
        Assert.That((await answer).Status, Is.EqualTo(400));
        Assert.That(third.Requests, Is.Empty);

        static Script TooLong(TaskCompletionSource gate) => async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await Replies.Json(400, Chat.Error("Too long.", "invalid_request_error", "context_length_exceeded"))(exchange);
        };
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
        Assert.That((Upstream.Requests.Count, Second.Requests.Count), Is.EqualTo((6, 6)));
    }
}
