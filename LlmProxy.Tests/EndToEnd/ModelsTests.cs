using System.Text.Json.Nodes;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Each key sees its own models, and cannot tell a forbidden one from one that does not exist.</summary>
public sealed class ModelsTests : ProxyFixture
{
    [SetUp]
    public void RestrictTester()
    {
        Setup.Options.Models["gpt-secret-project"] = ProxySetup.Model("main", "inner-name");
        Setup.Options.Models["org/model:30b"] = ProxySetup.Model("main", "x");
        Setup.Options.Groups["small"] = new GroupOptions { Models = ["gpt-4o-mini", "text-*", "org/model:30b"] };
        Setup.Options.Keys["tester"].Group = "small";
        ExpectUpstreamRequests(0);
    }

    [Test]
    [Category("S17")]
    public async Task S17_the_list_holds_what_the_key_may_use_in_the_shape_of_OpenAI()
    {
        await StartAsync();
        RawResponse response = await GetAsync("/v1/models");
        Assert.That((response.Status, (string?)response.Json["object"]), Is.EqualTo((200, "list")));
        JsonObject[] models = [.. response.Json["data"]!.AsArray().Select(model => model!.AsObject())];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(models.Select(m => (string?)m["id"]), Is.EquivalentTo(new[] { "gpt-4o-mini", "text-embedding-3-small", "org/model:30b" }));
            Assert.That(models.Select(m => (string?)m["object"]), Is.All.EqualTo("model"));
            Assert.That(models.All(m => m["created"]?.GetValueKind() == System.Text.Json.JsonValueKind.Number && m["owned_by"] is not null));
            Assert.That(response.Text, Does.Not.Contain("inner-name").And.Not.Contain("upstream-mini").And.Not.Contain("127.0.0.1"));
        }
    }

    [TestCase("/v1/models/gpt-4o-mini", "gpt-4o-mini")]
    [TestCase("/v1/models/org/model:30b", "org/model:30b")]
    [TestCase("/v1/models/org%2Fmodel%3A30b", "org/model:30b")]
    public async Task One_model_is_found_by_the_whole_rest_of_the_path(string path, string id)
    {
        await StartAsync();
        RawResponse response = await GetAsync(path);
        Assert.That((response.Status, (string?)response.Json["id"]), Is.EqualTo((200, id)));
    }

    [Test]
    [Category("S17")]
    public async Task S17_a_forbidden_model_and_an_unknown_one_are_answered_alike()
    {
        await StartAsync();
        foreach (Func<string, Task<RawResponse>> ask in (Func<string, Task<RawResponse>>[])
            [model => PostAsync(Chat.Request(model: model)), model => GetAsync("/v1/models/" + model)])
        {
            RawResponse forbidden = await ask("gpt-secret-project");
            RawResponse unknown = await ask("gpt-secret-projecu");
            Contract.AssertError(forbidden, 404, "model_not_found");
            Assert.That(unknown.Text, Is.EqualTo(forbidden.Text.Replace("gpt-secret-project", "gpt-secret-projecu", StringComparison.Ordinal)));
            Assert.That(unknown.Headers.Names(), Is.EqualTo(forbidden.Headers.Names()));
        }
    }

    [Test]
    [Category("S17")]
    public async Task S17_the_nearest_name_in_a_refusal_is_one_that_the_key_may_use()
    {
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(model: "gpt-secret-projekt"));
        string message = Contract.AssertError(response, 404, "model_not_found")["message"]!.ToString();
        Assert.That(message.Replace("gpt-secret-projekt", "", StringComparison.Ordinal), Does.Not.Contain("gpt-secret-project"));
    }

    [Test]
    public async Task Where_forbidden_models_are_revealed_they_are_a_403()
    {
        Setup.Options.RevealForbiddenModels = true;
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(model: "gpt-secret-project")), 403, "model_not_allowed");
        Contract.AssertError(await PostAsync(Chat.Request(model: "gpt-secret-projecu")), 404, "model_not_found");
    }

    [TestCase("GPT-4O-MINI")]
    [TestCase("gpt-4o-mini ")]
    [TestCase(" gpt-4o-mini")]
    [TestCase("gpt-4o-mini/")]
    [TestCase("gpt-4o-mіni")]
    [TestCase("main/upstream-mini")]
    [TestCase("upstream-mini")]
    [TestCase("text-*")]
    public async Task Names_are_exact(string model)
    {
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(model: model)), 404, "model_not_found");
    }

    [Test]
    public async Task A_group_with_an_empty_list_may_use_nothing()
    {
        Setup.Options.Groups["small"].Models = [];
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request()), 404, "model_not_found");
        Assert.That((await GetAsync("/v1/models")).Json["data"]!.AsArray(), Is.Empty);
    }

    [Test]
    public async Task An_alias_leads_to_the_same_model()
    {
        Setup.Mini.Aliases.Add("mini");
        Setup.Options.Groups["small"].Models!.Add("mini");
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request(model: "mini"))).Status, Is.EqualTo(200));
        Assert.That((string?)Upstream.Request.Json["model"], Is.EqualTo(Chat.UpstreamModel));
        ExpectUpstreamRequests(1);
    }

    [Test]
    public async Task An_operation_that_the_model_s_upstream_does_not_serve_is_a_404()
    {
        Setup.Main.Operations.Add("-embeddings");
        await StartAsync();
        RawResponse response = await PostAsync("""{"model":"gpt-4o-mini","input":"x"}""", "/v1/embeddings");
        Contract.AssertError(response, 404, "unsupported_operation");
    }
}
