using LlmProxy.Core;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Who asks for a pause or refuses us is left alone for a while, and comes back without a restart.</summary>
public sealed class LeftAloneTests : FailoverFixture
{
    private static readonly TimeSpan s_minute = TimeSpan.FromMinutes(1);

    private FakeTimeProvider _clock = null!;

    [SetUp]
    public async Task StartWithClockAsync()
    {
        InProcessOnly("the clock stands still");
        _clock = Setup.UseFakeClock();
        Setup.Options.Models["second"] = ProxySetup.Model("main", "second-at-main");
        Setup.Options.Models["second"].Targets.Add(new() { Upstream = "spare", Model = "second-at-spare" });
        Setup.Options.Models["twice"] = ProxySetup.Model("main", "one");
        Setup.Options.Models["twice"].Targets.Add(new() { Upstream = "main", Model = "two" });
        Setup.Options.Models["alone"] = ProxySetup.Model("main", Chat.UpstreamModel);
        await StartAsync();
    }

    [Test]
    public async Task A_refused_key_rests_for_a_minute_and_twice_as_long_each_time_up_to_ten_with_one_probe_each()
    {
        Upstream.Otherwise(Replies.Json(401, Chat.Error("Bad key.")));
        int seen = 0;
        foreach (int minutes in (int[])[1, 2, 4, 8, 10, 10])
        {
            Assert.That(await AskAsync(), Is.EqualTo(200));
            Assert.That(Upstream.Requests, Has.Count.EqualTo(++seen), "one probe");
            Assert.That(await AskAsync(), Is.EqualTo(200));
            Assert.That(await AskAsync("second"), Is.EqualTo(200));
            _clock.Advance((minutes * s_minute) - TimeSpan.FromSeconds(1));
            Assert.That(await AskAsync("second"), Is.EqualTo(200));
            Assert.That(Upstream.Requests, Has.Count.EqualTo(seen), $"left alone for {minutes} min, for all its models");
            Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Refused));
            _clock.Advance(TimeSpan.FromSeconds(2));
        }

        Upstream.Otherwise(Replies.LikeOpenAI);
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That(await AskAsync("second"), Is.EqualTo(200));
        Assert.That((MainStatus.Condition, MainStatus.Refusals), Is.EqualTo((UpstreamCondition.Ok, 6L)));
        AssertSeen(seen + 2, 24);
    }

    [Test]
    public async Task A_request_from_before_that_ends_meanwhile_does_not_end_another_s_probe()
    {
        var (old, probing) = (new TaskCompletionSource(), new TaskCompletionSource());
        Upstream.Next(After(old, Replies.Json(400, Chat.Error("No."))));
        Upstream.Next(Replies.Json(401, Chat.Error("Bad key.")));
        Upstream.Next(After(probing, Replies.LikeOpenAI));
        Task<int> before = AskAsync();
        await Upstream.WaitForAsync();
        Assert.That(await AskAsync(), Is.EqualTo(200));
        _clock.Advance(s_minute + TimeSpan.FromSeconds(1));
        Task<int> probe = AskAsync();
        await Upstream.WaitForAsync(3);
        old.SetResult();
        Assert.That(await before, Is.EqualTo(400));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        AssertSeen(3, 2);
        probing.SetResult();
        Assert.That(await probe, Is.EqualTo(200));

        static Script After(TaskCompletionSource gate, Script script) => async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await script(exchange);
        };
    }

    [Test]
    public async Task While_a_refused_key_is_tried_out_only_one_request_does_so()
    {
        Upstream.Next(Replies.Json(401, Chat.Error("Bad key.")));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        _clock.Advance(s_minute + TimeSpan.FromSeconds(1));
        var gate = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await Replies.LikeOpenAI(exchange);
        });
        Task<int> probe = AskAsync();
        await Upstream.WaitForAsync(2);
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That(Upstream.Requests, Has.Count.EqualTo(2));
        gate.SetResult();
        Assert.That(await probe, Is.EqualTo(200));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        AssertSeen(3, 2);
    }

    [Test]
    public async Task A_client_that_leaves_its_probe_leaves_it_to_the_next()
    {
        Upstream.Next(Replies.Json(401, Chat.Error("Bad key.")));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        _clock.Advance(s_minute + TimeSpan.FromSeconds(1));
        Upstream.Next(Replies.Silence);
        RawClient client = await SendJsonAsync(Chat.Request());
        await Upstream.WaitForAsync(2);
        client.Reset();
        await Deadline.Until(() => Proxy.Records.Count == 2);
        Assert.That(await AskAsync(), Is.EqualTo(200));
        AssertSeen(3, 1);
    }

    [TestCase(403)]
    [TestCase(404)]
    public async Task One_model_refused_is_that_target_alone_and_the_others_go_on(int status)
    {
        Upstream.Next(Replies.Json(status, Chat.Error("Not this one.")));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That(await AskAsync("second"), Is.EqualTo(200));
        Assert.That(Upstream.Requests.Select(r => (string?)r.Json["model"]), Is.EqualTo(new[] { Chat.UpstreamModel, "second-at-main" }));
        Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.Ok));
        Assert.That(MainStatus.Pauses.Single(), Is.EqualTo(
            new ModelPause(Chat.UpstreamModel, status == 403 ? "forbidden" : "unknown", _clock.GetUtcNow() + s_minute)));
        _clock.Advance(s_minute + TimeSpan.FromSeconds(1));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That(MainStatus.Pauses, Is.Empty, "it recovers by itself");
        AssertSeen(3, 2);
    }

    [TestCase("Retry-After: 20", 20)]
    [TestCase("retry-after-ms: 1500", 1.5)]
    [TestCase("Retry-After: Sun, 22 Nov 2026 12:00:30 GMT", 30)]
    [TestCase("x-ratelimit-reset-requests: 6m0s", 60)]
    [TestCase("x-ratelimit-reset-tokens: 11.1", 11.1)]
    [TestCase("x-ratelimit-reset: 1795348845", 45)]
    [TestCase("Retry-After: 4000", 60)]
    [TestCase("X-Other: 1", 1)]
    public async Task U30_a_target_that_has_had_enough_rests_as_long_as_it_says(string header, double seconds)
    {
        string[] field = header.Split(": ");
        Upstream.Next(Replies.Json(429, Chat.Error("Slow down."), (field[0], field[1])));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        _clock.Advance(TimeSpan.FromSeconds(seconds) - TimeSpan.FromMilliseconds(100));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        Assert.That(Upstream.Requests, Has.Count.EqualTo(1));
        Assert.That(MainStatus.Pauses.Single().Reason, Is.EqualTo("rate_limited"));
        Assert.That(await AskAsync("second"), Is.EqualTo(200), "another model of it has limits of its own");
        Assert.That(Upstream.Requests, Has.Count.EqualTo(2));
        _clock.Advance(TimeSpan.FromMilliseconds(200));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        AssertSeen(3, 2);
    }

    [Test]
    public async Task U30_if_all_rest_nobody_is_asked_and_the_client_is_told_when_the_first_is_back()
    {
        Upstream.Next(Replies.Json(429, Chat.Error("Slow down."), ("Retry-After", "40")));
        Spare.Next(Replies.Json(429, Chat.Error("Slow down."), ("Retry-After", "20")));
        RawResponse first = await PostAsync(Chat.Request());
        Contract.AssertError(first, 429, "rate_limit_exceeded");
        Assert.That((first.Headers["Retry-After"], first.Headers["retry-after-ms"]), Is.EqualTo(("20", "20000")));
        _clock.Advance(TimeSpan.FromSeconds(5));
        RawResponse second = await PostAsync(Chat.Request(stream: true));
        Contract.AssertError(second, 429, "rate_limit_exceeded");
        Assert.That((second.Headers["Retry-After"], second.Headers["retry-after-ms"]), Is.EqualTo(("15", "15000")));
        AssertSeen(1, 1);
    }

    [Test]
    public async Task A_pause_that_was_asked_for_holds_though_an_earlier_request_is_answered_meanwhile()
    {
        var gate = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await Replies.LikeOpenAI(exchange);
        });
        Task<int> earlier = AskAsync();
        await Upstream.WaitForAsync();
        Upstream.Next(Replies.Json(429, Chat.Error("Slow down."), ("Retry-After", "20")));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        gate.SetResult();
        Assert.That(await earlier, Is.EqualTo(200));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        AssertSeen(2, 2);
    }

    [Test]
    public async Task U31_an_account_without_money_rests_long_and_is_not_asked_again_by_anybody()
    {
        Upstream.Otherwise(Replies.Json(429, Chat.Error("You exceeded your current quota.", "insufficient_quota", "insufficient_quota"), ("Retry-After", "1")));
        Assert.That(await AskAsync(), Is.EqualTo(200));
        _clock.Advance(TimeSpan.FromSeconds(50));
        Assert.That(await AskAsync("second"), Is.EqualTo(200));
        RawResponse alone = await PostAsync(Chat.Request(model: "alone"));
        Contract.AssertError(alone, 429, "rate_limit_exceeded");
        Assert.That(alone.Headers["x-should-retry"], Is.EqualTo("false"));
        Assert.That(MainStatus.Condition, Is.EqualTo(UpstreamCondition.QuotaGone));
        AssertSeen(1, 2);
    }

    [Test]
    public async Task Targets_at_the_same_upstream_are_asked_in_turn_too()
    {
        Upstream.Next(Replies.Json(403, Chat.Error("Not this one.")));
        Assert.That(await AskAsync("twice"), Is.EqualTo(200));
        Assert.That(Upstream.Requests.Select(r => (string?)r.Json["model"]), Is.EqualTo(new[] { "one", "two" }));
        AssertSeen(2, 0);
    }

    [TestCase(403, 502, null)]
    [TestCase(404, 502, null)]
    [TestCase(429, 429, null)]
    public async Task With_one_target_only_what_was_said_of_a_model_is_no_reason_not_to_ask_again(int status, int told, string? header)
    {
        Upstream.Otherwise(Replies.Json(status, Chat.Error("No."), ("X-Header", header ?? "none")));
        for (int i = 0; i < 3; i++)
        {
            Assert.That(await AskAsync("alone"), Is.EqualTo(told));
        }

        Upstream.Otherwise(Replies.LikeOpenAI);
        Assert.That(await AskAsync("alone"), Is.EqualTo(200));
        AssertSeen(4, 0);
    }

    [Test]
    public async Task With_one_target_only_a_pause_that_it_asked_for_is_kept()
    {
        Upstream.Next(Replies.Json(429, Chat.Error("Slow down."), ("Retry-After", "9")));
        Contract.AssertError(await PostAsync(Chat.Request(model: "alone")), 429, "rate_limit_exceeded");
        _clock.Advance(TimeSpan.FromSeconds(4));
        RawResponse response = await PostAsync(Chat.Request(model: "alone"));
        Contract.AssertError(response, 429, "rate_limit_exceeded");
        Assert.That(response.Headers["Retry-After"], Is.EqualTo("5"));
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.That(await AskAsync("alone"), Is.EqualTo(200));
        AssertSeen(2, 0);
    }

    [Test]
    public async Task A_503_that_asks_for_a_pause_gets_it_and_is_no_429_for_the_next()
    {
        Upstream.Next(Replies.Json(503, Chat.Error("Loading."), ("Retry-After", "9")));
        Contract.AssertError(await PostAsync(Chat.Request(model: "alone")), 503, "upstream_error");
        Contract.AssertError(await PostAsync(Chat.Request(model: "alone")), 503, "no_healthy_upstream");
        AssertSeen(1, 0);
    }
}
