using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Which upstream sees a request, seen from outside.</summary>
public sealed class BalancingTests : ProxyFixture
{
    private const string Encrypted =
        """{"model":"gpt-4o-mini","input":[{"role":"user","content":"hi"},{"type":"reasoning","id":"rs_1","encrypted_content":"gAAA"},{"role":"user","content":"and?"}]}""";

    private ScriptedUpstream _second = null!;

    [SetUp]
    public void UseTwoUpstreams()
    {
        _second = NewUpstream();
        Setup.Options.Upstreams["second"] = ProxySetup.Upstream(_second.Url);
        Setup.Mini.Targets.Add(new TargetOptions { Upstream = "second", Model = "second-model" });
    }

    [Test]
    public async Task A_sticky_arm_is_the_callers_and_is_told_in_headers_and_record()
    {
        Setup.Mini.Sticky = "User";
        Setup.Options.Keys["tester"].Debug = true;
        await StartAsync();
        var arms = new Dictionary<int, string>();
        for (int i = 0; i < 40; i++)
        {
            RawResponse response = await PostAsync(Chat.Request(more: $",\"user\":\"user-{i % 8}\""));
            string arm = response.Headers["x-llmproxy-upstream"] + " " + response.Headers["x-llmproxy-model"];
            Assert.That(arm, Is.EqualTo(arms.GetValueOrDefault(i % 8, arm)));
            arms[i % 8] = arm;
        }

        Assert.That(arms.Values.Distinct(), Is.EquivalentTo(new[] { "main " + Chat.UpstreamModel, "second second-model" }));
        await Deadline.Until(() => Proxy.Records.Count == 40, what: "all records");
        Assert.That(Proxy.Records.Select(r => r.Upstream + " " + r.UpstreamModel).GroupBy(a => a, StringComparer.Ordinal).Select(g => (g.Key, g.Count())),
            Is.EquivalentTo(arms.Values.GroupBy(a => a, StringComparer.Ordinal).Select(g => (g.Key, 5 * g.Count()))));
        Assert.That((Upstream.Requests.Count, _second.Requests.Count), Is.EqualTo((5 * arms.Values.Count(a => a[0] == 'm'), 5 * arms.Values.Count(a => a[0] == 's'))));
    }

    [Test]
    public async Task Other_callers_are_not_told_the_arm()
    {
        Setup.Mini.Sticky = "Key";
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Assert.That((response.Status, response.Headers["x-llmproxy-upstream"], response.Headers["x-llmproxy-model"]), Is.EqualTo((200, (string?)null, (string?)null)));
    }

    [Test]
    public async Task Affinity_that_brings_no_cached_tokens_is_given_up()
    {
        Setup.Mini.Balance = TargetBalance.Affinity;
        foreach (ScriptedUpstream upstream in (ScriptedUpstream[])[Upstream, _second])
        {
            upstream.Otherwise(Replies.Json(200, Chat.Completion("x").Replace("\"prompt_tokens\":9", "\"prompt_tokens_details\":{\"cached_tokens\":0},\"prompt_tokens\":2000", StringComparison.Ordinal)));
        }

        await StartAsync();
        for (int i = 0; i < 21; i++)
        {
            await PostAsync(Chat.Request());
        }

        Assert.That(new[] { Upstream.Requests.Count, _second.Requests.Count }, Is.EquivalentTo(new[] { 0, 21 }), "the first is new, twenty came back");
        for (int i = 0; i < 30; i++)
        {
            await PostAsync(Chat.Request());
        }

        Assert.That(new[] { Upstream.Requests.Count, _second.Requests.Count }, Is.All.GreaterThan(0));
    }

    [Test]
    public async Task Encrypted_reasoning_goes_back_to_who_made_it_and_to_nobody_else()
    {
        Setup.Main.Kind = Setup.Options.Upstreams["second"].Kind = UpstreamKind.OpenAI;
        Upstream.Next(Replies.Json(503, Chat.Error("Busy.")));
        Upstream.Otherwise(Replies.Json(200, ResponseEvents.Response("completed", id: "resp_main")));
        _second.Next(Replies.Json(200, ResponseEvents.Response("completed", id: "resp_second")));
        _second.Next(Replies.Json(503, Chat.Error("Busy.")));
        await StartAsync();
        ExpectUpstreamRequests(4);
        RawResponse first = await PostAsync("""{"model":"gpt-4o-mini","input":"hi"}""", ResponseEvents.Path);
        Assert.That((first.Status, Upstream.Requests.Count, _second.Requests.Count), Is.EqualTo((200, 1, 1)), "it failed over");
        RawResponse next = await PostAsync(Encrypted, ResponseEvents.Path);
        Assert.That((next.Status, Upstream.Requests.Count, _second.Requests.Count), Is.EqualTo((503, 1, 2)), "it went back and did not fail over");
        RawResponse other = await PostAsync("""{"model":"gpt-4o-mini","input":"something else"}""", ResponseEvents.Path);
        Assert.That((other.Status, Upstream.Requests.Count, _second.Requests.Count), Is.EqualTo((200, 2, 2)));
    }
}
