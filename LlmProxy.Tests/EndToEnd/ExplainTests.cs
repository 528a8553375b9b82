using System.Text.Json.Nodes;
using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What would become of a request is told, and nothing is sent.</summary>
public sealed class ExplainTests : ProxyFixture
{
    private const string Ask = "x-llmproxy-explain: 1";

    private ScriptedUpstream _second = null!;

    [SetUp]
    public void UseTwoTargets()
    {
        InProcessOnly("it uses options that tests of the executable do not write");
        _second = NewUpstream();
        Setup.Options.Upstreams["second"] = ProxySetup.Upstream(_second.Url);
        Setup.Mini.Targets.Add(new TargetOptions { Upstream = "second", Model = "second-mini" });
        Setup.Options.Keys["tester"].Debug = true;
        Setup.Main.Timeouts.FirstEvent = TimeSpan.FromSeconds(7);
    }

    [TearDown]
    public Task AssertNoLeaksAsync() => IsStarted ? Leaks.AssertNoneAsync(App) : Task.CompletedTask;

    [Test]
    public async Task The_targets_are_named_in_their_order_and_nobody_is_asked()
    {
        Setup.Mini.Hedge = new HedgeOptions { After = TimeSpan.FromMilliseconds(800) };
        Setup.Mini.Mirror = new MirrorOptions { Target = new TargetOptions { Upstream = "second", Model = "next-mini" }, Percent = 10 };
        Setup.Mini.Coalesce = true;
        ExpectUpstreamRequests(0);
        await StartAsync();
        JsonNode explained = await ExplainAsync(Chat.Request(stream: true, more: ",\"temperature\":0"));
        Assert.That(
            explained["targets"]!.AsArray().Select(t => ((int?)t!["order"], (string?)t["upstream"], (string?)t["model"], (string?)t["state"])),
            Is.EqualTo(new (int?, string?, string?, string?)[] { (1, "main", "upstream-mini", "ready"), (2, "second", "second-mini", "ready") }));
        Assert.That(
            ((string?)explained["operation"], (bool?)explained["stream"], (string?)explained["model"], (string?)explained["route"], (string?)explained["caller"], (string?)explained["balance"]),
            Is.EqualTo(("chat", true, "gpt-4o-mini", "gpt-4o-mini", "tester", "InOrder")));
        Assert.That((long?)explained["targets"]![0]!["timeouts_ms"]!["first_event"], Is.EqualTo(7000));
        Assert.That(((long?)explained["hedge"]!["after_ms"], (bool?)explained["hedge"]!["this_request"]), Is.EqualTo((800, true)));
        Assert.That(((string?)explained["mirror"]!["model"], (int?)explained["mirror"]!["percent"]), Is.EqualTo(("next-mini", 10)));
        Assert.That(((bool?)explained["coalesce"]!["on"], (bool?)explained["coalesce"]!["this_request"]), Is.EqualTo((true, true)));
        RecordView record = await RecordAsync();
        Assert.That((record.Status, record.Attempts, record.End), Is.EqualTo((200, 0, "ok")));
    }

    [Test]
    public async Task A_target_that_has_asked_for_a_pause_is_skipped_and_it_is_said_until_when()
    {
        var clock = Setup.UseFakeClock();
        Upstream.Next(Replies.Json(429, Chat.Error("Slower."), ("Retry-After", "30")));
        ExpectUpstreamRequests(2);
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        JsonNode explained = await ExplainAsync(Chat.Request());
        JsonArray targets = explained["targets"]!.AsArray();
        Assert.That(((int?)targets[0]!["order"], (string?)targets[0]!["upstream"]), Is.EqualTo(((int?)1, "second")));
        Assert.That(((int?)targets[1]!["order"], (string?)targets[1]!["upstream"], (string?)targets[1]!["state"]), Is.EqualTo(((int?)null, "main", "cooling")));
        Assert.That((DateTime)targets[1]!["until"]!, Is.EqualTo(clock.GetUtcNow().UtcDateTime.AddSeconds(30)).Within(TimeSpan.FromSeconds(1)));
    }

    [Test]
    public async Task An_open_breaker_is_named()
    {
        Setup.UseFakeClock();
        Setup.Main.Breaker.Requests = 2;
        Upstream.Otherwise(Replies.Json(500, Chat.Error("It burns.")));
        ExpectUpstreamRequests(4);
        await StartAsync();
        await PostAsync(Chat.Request());
        await PostAsync(Chat.Request());
        JsonNode main = (await ExplainAsync(Chat.Request()))["targets"]!.AsArray().Single(t => (string?)t!["upstream"] == "main")!;
        Assert.That((string?)main["state"], Is.EqualTo("out"));
        Assert.That((string?)main["why"], Does.Contain("breaker"));
        Assert.That(main["until"], Is.Not.Null);
    }

    [Test]
    public async Task Targets_that_do_not_serve_it_or_may_not_see_it_are_named_with_the_reason()
    {
        Setup.Main.Operations.Add("-chat");
        Setup.Main.Tags.Add("eu");
        Setup.Options.Keys["tester"].UpstreamTags.Add("eu");
        ExpectUpstreamRequests(0);
        await StartAsync();
        JsonArray targets = (await ExplainAsync(Chat.Request()))["targets"]!.AsArray();
        Assert.That(targets.Select(t => (string?)t!["state"]), Is.All.EqualTo("skipped"));
        Assert.That((string?)targets[0]!["why"], Is.EqualTo("it does not serve this operation"));
        Assert.That((string?)targets[1]!["why"], Does.Contain("tags"));
    }

    [Test]
    public async Task Asking_again_and_again_uses_up_nothing()
    {
        Setup.Main.Concurrent = 1;
        ExpectUpstreamRequests(1);
        await StartAsync();
        for (int i = 0; i < 5; i++)
        {
            await ExplainAsync(Chat.Request());
        }

        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Assert.That(Upstream.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task A_key_without_Debug_is_refused_rather_than_served()
    {
        ExpectUpstreamRequests(0);
        Setup.Options.Keys["tester"].Debug = false;
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(), ChatPath, Ask), 403, "explain_not_allowed", "x-llmproxy-explain");
    }

    [Test]
    public async Task What_leads_nowhere_is_the_error_that_it_would_be()
    {
        ExpectUpstreamRequests(0);
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(model: "nothing"), ChatPath, Ask), 404, "model_not_found", "model");
    }

    [Test]
    public async Task An_app_s_own_page_can_ask_on_behalf_of_a_key()
    {
        Setup.Pipeline = app =>
        {
            app.MapPost("/explain", http => http.RequestServices.GetRequiredService<LlmProxyExplainer>().ExplainAsync(http, http.Request.Query["path"].FirstOrDefault() ?? "/v1/chat/completions", http.Request.Query["key"].ToString()));
            app.UseLlmProxy();
        };
        ExpectUpstreamRequests(0);
        // Not of what is explained, but of what the fixture asks on each connection at the end.
        ExpectRecords(4);
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(), "/explain?key=other");
        Assert.That((response.Status, (string?)JsonNode.Parse(response.Text)!["caller"]), Is.EqualTo((200, "other")));
        Contract.AssertError(await PostAsync(Chat.Request(), "/explain?key=nobody"), 404, "key_not_found", "key");
        Contract.AssertError(await PostAsync("{", "/explain?key=other"), 400, "invalid_json");
        RawResponse nothing = await PostAsync("{}", "/explain?key=other&path=/v1/nothing");
        Contract.AssertError(nothing, 404, "unknown_url");
        Assert.That(nothing.Text, Does.Contain("/v1/nothing").And.Not.Contain("/explain"));
    }

    private async Task<JsonNode> ExplainAsync(string request)
    {
        RawResponse response = await PostAsync(request, ChatPath, Ask);
        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        Assert.That(response.Text, Does.Not.Contain(Canary.Prompt).And.Not.Contain(Canary.UpstreamKey).And.Not.Contain("127.0.0.1"));
        JsonNode explained = JsonNode.Parse(response.Text)!;
        Assert.That((string?)explained["object"], Is.EqualTo("llmproxy.explanation"));
        return explained;
    }
}
