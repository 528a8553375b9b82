using System.Diagnostics.Metrics;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What callers see of their limits. An answer of the upstream has 9 tokens of input and 12 of output.</summary>
public sealed class LimitTests : ProxyFixture
{
    private KeyOptions Key => Setup.Options.Keys["tester"];

    [SetUp]
    public void SetPrice() => Setup.Options.Prices["main/*"] = new PriceOptions { Input = 1, Output = 1, Request = 0.25m };

    [Test]
    [Category("L10")]
    public async Task L10_of_200_at_once_exactly_50_are_let_in([Values("requests", "tokens", "concurrency", "money")] string limit)
    {
        InProcessOnly("200 connections of one test are enough in one process");
        var gate = new TaskCompletionSource();
        Upstream.Otherwise(async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await Replies.LikeOpenAI(exchange);
        });
        string request = Chat.Request(more: ",\"max_tokens\":32");
        request += new string(' ', 100 - (request.Length % 100));
        long tokens = (request.Length / 4) + 32;
        switch (limit)
        {
            case "requests":
                Key.RequestsPerMinute = 50;
                break;
            case "concurrency":
                Key.Concurrent = 50;
                break;
            case "tokens":
                Key.TokensPerMinute = 50 * tokens;
                break;
            default:
                Key.Budget = new BudgetOptions { Day = 50 * (0.25m + (tokens / 1_000_000m)) };
                break;
        }

        await StartAsync();
        Task<RawResponse>[] answers = [.. Enumerable.Range(0, 200).Select(_ => PostAsync(request))];
        await Deadline.Until(() => answers.Count(a => a.IsCompleted) == 150, what: "150 refusals");
        gate.SetResult();
        await Task.WhenAll(answers);
        Assert.That(answers.Count(a => a.Result.Status == 200), Is.EqualTo(50));
        Assert.That(answers.Count(a => a.Result.Status == 429), Is.EqualTo(150));
        Assert.That(Upstream.Requests, Has.Count.EqualTo(50));
    }

    [Test]
    public async Task Answers_say_what_is_left_and_a_refusal_when_there_is_more()
    {
        Setup.UseFakeClock();
        Key.RequestsPerMinute = 2;
        Key.TokensPerMinute = 100_000;
        await StartAsync();
        RawResponse first = await PostAsync(Chat.Request(stream: true));
        RawResponse second = await PostAsync(Chat.Request());
        RawResponse third = await PostAsync(Chat.Request());
        Assert.That(
            (first.Headers["x-ratelimit-limit-requests"], first.Headers["x-ratelimit-remaining-requests"], first.Headers["x-ratelimit-reset-requests"]),
            Is.EqualTo(("2", "1", "1m1s")));
        Assert.That((second.Headers["x-ratelimit-limit-tokens"], second.Headers["x-ratelimit-reset-tokens"]), Is.EqualTo(("100000", "1m1s")));
        Contract.AssertError(third, 429, "rate_limit_exceeded");
        Assert.That((third.Headers["Retry-After"], third.Headers["retry-after-ms"], third.Headers["x-ratelimit-remaining-requests"]), Is.EqualTo(("60", "60000", "0")));
        Assert.That(third.Headers["x-should-retry"], Is.Null);
        Setup.Clock!.Advance(TimeSpan.FromSeconds(61));
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Assert.That((await GetAsync("/v1/models")).Status, Is.EqualTo(200), "what comes from memory is not counted");
    }

    [Test]
    public async Task A_budget_that_is_gone_says_so_and_that_no_retry_helps()
    {
        Setup.UseFakeClock();
        Setup.Options.Contact = "platform@example.com";
        Key.Budget = new BudgetOptions { Day = 0.5m };
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request(more: ",\"max_tokens\":20"))).Status, Is.EqualTo(200));
        RawResponse refused = await PostAsync(Chat.Request(more: ",\"max_tokens\":20"));
        Contract.AssertError(refused, 429, "insufficient_quota");
        Assert.That((string?)refused.Json["error"]!["type"], Is.EqualTo("insufficient_quota"));
        Assert.That((string?)refused.Json["error"]!["message"], Does.StartWith("Your budget for today has too little left for this request: 0.250021 of 0.50 USD are used")
            .And.EndsWith("It resets 2026-11-23 00:00 UTC. Ask platform@example.com."));
        Assert.That((refused.Headers["x-should-retry"], refused.Headers["Retry-After"]), Is.EqualTo(("false", "1")));
        Setup.Clock!.Advance(TimeSpan.FromHours(12));
        Assert.That((await PostAsync(Chat.Request(more: ",\"max_tokens\":20"))).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Clients_of_Anthropic_read_it_in_their_own_words()
    {
        Setup.UseFakeClock();
        Setup.Main.Kind = UpstreamKind.Anthropic;
        (Key.Budget, Key.RequestsPerMinute) = (new BudgetOptions { Day = 0 }, 7);
        await StartAsync();
        RawResponse refused = await PostAsync("{\"model\":\"gpt-4o-mini\",\"max_tokens\":5,\"messages\":[]}", "/v1/messages");
        Assert.That((refused.Status, (string?)refused.Json["error"]!["type"]), Is.EqualTo((429, "billing_error")));
        Assert.That(
            (refused.Headers["anthropic-ratelimit-requests-limit"], refused.Headers["anthropic-ratelimit-requests-remaining"], refused.Headers["anthropic-ratelimit-requests-reset"]),
            Is.EqualTo(("7", "7", "2026-11-22T12:00:00Z")));
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task Limits_of_an_upstream_are_shown_to_who_has_none_here()
    {
        Upstream.Otherwise(Replies.Json(200, Chat.Completion("hi"), ("x-ratelimit-remaining-requests", "17")));
        Key.TokensPerMinute = 100_000;
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Headers["x-ratelimit-remaining-requests"], Is.Null, "the operator's are not the caller's");
        RawResponse other = await (await SendAsync(RawClient.Request(
            "POST", ChatPath, System.Text.Encoding.UTF8.GetBytes(Chat.Request()), ["Authorization: Bearer " + Canary.OtherClientKey, "Content-Type: application/json"]))).ReadAsync();
        Assert.That(other.Headers["x-ratelimit-remaining-requests"], Is.EqualTo("17"));
    }

    /// <summary>And before its answer goes out, so that whoever comes again at once is not refused for what has ended.</summary>
    [TestCase(400)]
    [TestCase(503)]
    [Category("S23")]
    public async Task S23_what_failed_gives_back_all_that_it_took(int status)
    {
        Upstream.Otherwise(Replies.Json(status, Chat.Error("no")));
        (Key.RequestsPerMinute, Key.Concurrent, Key.Budget) = (1, 1, new BudgetOptions { Day = 0.26m });
        Setup.Main.Breaker.Requests = 1000;
        await StartAsync();
        for (int i = 0; i < 20; i++)
        {
            Assert.That((await PostAsync(Chat.Request(more: ",\"max_tokens\":20"))).Status, Is.EqualTo(status));
        }
    }

    [Test]
    public async Task A_client_that_leaves_frees_its_place()
    {
        Upstream.Next(Replies.Silence);
        Key.Concurrent = 1;
        await StartAsync();
        RawClient gone = await SendJsonAsync(Chat.Request(stream: true));
        await Upstream.WaitForAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(429));
        gone.Reset();
        await Deadline.Until(() => Proxy.Records.Count == 2, what: "its record");
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task A_changed_limit_applies_at_once_and_forgets_nothing()
    {
        Setup.IsFromFile = true;
        Key.RequestsPerMinute = 3;
        await StartAsync();
        for (int i = 0; i < 3; i++)
        {
            Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        }

        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(429));
        Key.RequestsPerMinute = 4;
        await ReloadAsync(2);
        Assert.That(((await PostAsync(Chat.Request())).Status, (await PostAsync(Chat.Request())).Status), Is.EqualTo((200, 429)));
    }

    [Test]
    public async Task People_behind_one_key_have_limits_of_their_own()
    {
        Setup.Options.Groups["chat"] = new GroupOptions { EndUser = new EndUserOptions { Header = "X-User", RequestsPerMinute = 1 } };
        Key.Group = "chat";
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request(), fields: "X-User: anna")).Status, Is.EqualTo(200));
        Assert.That((await PostAsync(Chat.Request(), fields: "X-User: anna")).Status, Is.EqualTo(429));
        Assert.That((await PostAsync(Chat.Request(), fields: "X-User: ben")).Status, Is.EqualTo(200));
        Assert.That(((await PostAsync(Chat.Request())).Status, (await PostAsync(Chat.Request())).Status), Is.EqualTo((200, 429)), "who has no name is one of them");
    }

    [Test]
    public async Task What_a_group_has_left_and_what_was_refused_is_measured()
    {
        InProcessOnly("it listens to the app's meters");
        Setup.Options.Groups["team"] = new GroupOptions { Budget = new BudgetOptions { Day = 0.5m, Month = 9 } };
        Key.Group = "team";
        await StartAsync();
        await PostAsync(Chat.Request(more: ",\"max_tokens\":20"));
        await PostAsync(Chat.Request(more: ",\"max_tokens\":20"));
        var meters = App.Services.GetRequiredService<IMeterFactory>();
        using var left = new MetricCollector<double>(meters, LlmProxyTelemetry.MeterName, MetricNames.BudgetRemaining);
        using var refused = new MetricCollector<long>(meters, LlmProxyTelemetry.MeterName, MetricNames.RequestsRefused);
        left.RecordObservableInstruments();
        refused.RecordObservableInstruments();
        Assert.That(left.GetMeasurementSnapshot().Select(m => (m.Tags["llmproxy.group"], m.Tags["llmproxy.window"], m.Value)), Is.EquivalentTo(
            new (object?, object?, double)[] { ("team", "day", 0.249979), ("team", "month", 8.749979) }));
        Assert.That(refused.GetMeasurementSnapshot().Select(m => (m.Tags["llmproxy.group"], m.Tags["error.type"], m.Value)), Is.EqualTo(
            new (object?, object?, long)[] { ("team", "insufficient_quota", 1) }));
    }
}
