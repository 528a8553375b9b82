using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>An allow-list speaks of what a name resolves to, however it is written.</summary>
[Category("S15")]
public sealed class AllowListTests : ProxyFixture
{
    [SetUp]
    public void SetModels()
    {
        Setup.Options.Models.Clear();
        Setup.Options.Models["gpt-4"] = ProxySetup.Model("main", "gpt-4");
        Setup.Options.Models["gpt-4"].Aliases.Add("four");
        Setup.Options.Models["gpt-*"] = ProxySetup.Model("main", "gpt-*");
        Setup.Options.Models["secret"] = ProxySetup.Model("main", "secret");
        Setup.Options.Models["secret"].Aliases.Add("gpt-secret");
        Setup.Options.Keys["tester"].Models = ["gpt-4"];
    }

    [TestCase("gpt-4", true)]
    [TestCase("four", true, Description = "an alias is the model it stands for")]
    [TestCase("gpt-5", false, Description = "the pattern is not the tester's")]
    [TestCase("secret", false)]
    [TestCase("gpt-secret", false, Description = "an alias that looks like an allowed name")]
    [TestCase("gpt-4\\n", false)]
    [TestCase("gpt-4\\u0000", false)]
    [TestCase("gpt-4 ", false)]
    [TestCase(" gpt-4", false)]
    [TestCase("gpt-4/", false)]
    [TestCase("main/gpt-4", false)]
    [TestCase("GPT-4", false)]
    [TestCase("Four", false)]
    [TestCase("gpt-\\u0034", true, Description = "an escape is the letter it stands for")]
    [TestCase("g\\u0440t-4", false, Description = "a Cyrillic er")]
    [TestCase("gpt\\u20104", false, Description = "another hyphen")]
    [TestCase("gpt-*", false)]
    [TestCase("*", false)]
    [TestCase("", false)]
    public async Task S15_only_the_exact_name_after_resolution_is_let_through(string model, bool isAllowed)
    {
        await StartAsync();
        RawResponse response = await PostAsync("{\"model\":\"" + model + "\",\"messages\":[]}");
        Assert.That(response.Status, isAllowed ? Is.EqualTo(200) : Is.EqualTo(404).Or.EqualTo(400), response.Text);
        Assert.That(Upstream.Requests.Select(r => (string?)r.Json["model"]), isAllowed ? Is.EqualTo(new[] { "gpt-4" }) : Is.Empty);
    }

    [TestCase("gpt-4-turbo", true)]
    [TestCase("gpt-4", true)]
    [TestCase("gpt-5", false)]
    [TestCase("gpt-secret", false, Description = "the alias of another model, though it fits the pattern")]
    [TestCase("gpt-4\\n", false)]
    public async Task S15_a_pattern_in_the_list_lets_through_what_resolves_within_it(string model, bool isAllowed)
    {
        Setup.Options.Keys["tester"].Models = ["gpt-4*"];
        await StartAsync();
        Assert.That((await PostAsync("{\"model\":\"" + model + "\",\"messages\":[]}")).Status, isAllowed ? Is.EqualTo(200) : Is.EqualTo(404).Or.EqualTo(400));
    }

    [TestCase("\"model\":\"gpt-4\",\"model\":\"secret\"")]
    [TestCase("\"model\":\"gpt-4\",\"mod\\u0065l\":\"secret\"")]
    [TestCase("\"model\":\"gpt-4\",\"Model\":\"secret\"")]
    public async Task S15_two_readings_of_one_name_are_refused(string members)
    {
        await StartAsync();
        Assert.That((await PostAsync("{" + members + ",\"messages\":[]}")).Status, Is.EqualTo(400));
        Assert.That(Upstream.Requests, Is.Empty);
    }

    [Test]
    public async Task S15_an_empty_list_is_nobody_and_unknown_and_forbidden_look_alike()
    {
        Setup.Options.Keys["tester"].Models = [];
        await StartAsync();
        RawResponse forbidden = await PostAsync(Chat.Request(model: "gpt-4"));
        RawResponse unknown = await PostAsync(Chat.Request(model: "nothing"));
        Contract.AssertError(forbidden, 404, "model_not_found");
        Assert.That(forbidden.Text.Replace("gpt-4", "nothing", StringComparison.Ordinal), Is.EqualTo(unknown.Text));
    }

    [Test]
    public async Task S15_where_it_is_revealed_forbidden_is_said()
    {
        Setup.Options.RevealForbiddenModels = true;
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(model: "secret")), 403, "model_not_allowed");
        Contract.AssertError(await PostAsync(Chat.Request(model: "nothing")), 404, "model_not_found");
    }

    [Test]
    public async Task S15_failover_never_leaves_the_targets_of_the_model_nor_the_upstreams_of_the_caller()
    {
        ScriptedUpstream other = NewUpstream();
        Setup.Options.Upstreams["eu"] = new UpstreamOptions { Url = Upstream.Url, Tags = { "eu" } };
        Setup.Options.Upstreams["us"] = new UpstreamOptions { Url = other.Url, Tags = { "us" } };
        Setup.Options.Models["gpt-4"].Targets.Clear();
        Setup.Options.Models["gpt-4"].Targets.Add(new TargetOptions { Upstream = "eu", Model = "a" });
        Setup.Options.Models["gpt-4"].Targets.Add(new TargetOptions { Upstream = "us", Model = "b" });
        Setup.Options.Models["gpt-4"].Targets.Add(new TargetOptions { Upstream = "eu", Model = "c" });
        Setup.Options.Keys["tester"].UpstreamTags.Add("eu");
        Upstream.Otherwise(Replies.Json(503, Chat.Error("A")));
        InProcessOnly("the file of the executable is written without tags");
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(model: "gpt-4")), 503, "upstream_error");
        Assert.That(Upstream.Requests.Select(r => (string?)r.Json["model"]), Is.EqualTo(new[] { "a", "c" }));
        Assert.That(other.Requests, Is.Empty);
        ExpectUpstreamRequests(2);
    }

    [Test]
    public async Task S15_a_model_that_only_upstreams_without_the_tags_serve_is_not_the_caller_s()
    {
        InProcessOnly("the file of the executable is written without tags");
        Setup.Options.Upstreams["eu"] = new UpstreamOptions { Url = Upstream.Url, Tags = { "eu" } };
        Setup.Options.Models["european"] = new ModelOptions { Targets = { new TargetOptions { Upstream = "eu", Model = "a" } } };
        Setup.Options.Keys["tester"].UpstreamTags.Add("eu");
        Setup.Options.Keys["tester"].Models!.Add("european");
        ExpectUpstreamRequests(0);
        await StartAsync();
        RawResponse list = await GetAsync("/v1/models");
        Assert.That(list.Text, Does.Contain("\"european\"").And.Not.Contain("gpt-4"));
        Contract.AssertError(await GetAsync("/v1/models/gpt-4"), 404, "model_not_found", "model");
        RawResponse refused = await PostAsync(Chat.Request(model: "gpt-4"));
        Contract.AssertError(refused, 404, "model_not_found", "model");
        Assert.That(refused.Text, Does.Not.Contain("does not serve"));
    }

    [Test]
    public async Task S15_where_models_of_others_are_shown_one_that_the_tags_exclude_is_forbidden()
    {
        InProcessOnly("the file of the executable is written without tags");
        Setup.Options.RevealForbiddenModels = true;
        Setup.Options.Upstreams["eu"] = new UpstreamOptions { Url = Upstream.Url, Tags = { "eu" } };
        Setup.Options.Keys["tester"].UpstreamTags.Add("eu");
        ExpectUpstreamRequests(0);
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(model: "gpt-4")), 403, "model_not_allowed", "model");
    }
}
