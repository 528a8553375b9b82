using System.Text.Json;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What an operator changes in requests by configuration.</summary>
public sealed class CustomisationTests : ProxyFixture
{
    [Test]
    public async Task Set_replaces_default_fills_in_remove_takes_out_and_the_rest_stays_as_it_came()
    {
        ModelOptions mini = Setup.Mini;
        mini.Set["temperature"] = Json("0.2");
        mini.Set["metadata"] = Json("""{"team":"a"}""");
        mini.Default["max_tokens"] = Json("4096");
        mini.Default["top_p"] = Json("0.9");
        mini.Remove.Add("logit_bias");
        mini.Remove.Add("user");
        await StartAsync();
        RawResponse response = await PostAsync(
            """{ "user":"u" ,"logit_bias":{"1":[2,{"x":"}"}]},"model" : "gpt-4o-mini","temperature":1.7,"top_p":0.50, "messages":[ ],"seed":7.0,"last":1}""");
        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        string sent = Upstream.Request.Text;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(
                Upstream.Request.Json.Select(member => member.Key),
                Is.EquivalentTo(new[] { "model", "temperature", "metadata", "max_tokens", "top_p", "messages", "seed", "last" }));
            Assert.That((double?)Upstream.Request.Json["temperature"], Is.EqualTo(0.2));
            Assert.That((string?)Upstream.Request.Json["metadata"]!["team"], Is.EqualTo("a"));
            Assert.That((int?)Upstream.Request.Json["max_tokens"], Is.EqualTo(4096));
            Assert.That(sent, Does.Contain("\"top_p\":0.50").And.Contain("\"messages\":[ ]").And.Contain("\"seed\":7.0").And.Contain("\"last\":1"));
        }
    }

    [TestCase("""{"model":"gpt-4o-mini","user":"u"}""", TestName = "{m}_last")]
    [TestCase("""{"user":"u","model":"gpt-4o-mini"}""", TestName = "{m}_first")]
    [TestCase("""{"a":1,"user":"u","model":"gpt-4o-mini"}""", TestName = "{m}_in_the_middle")]
    [TestCase("""{ "model":"gpt-4o-mini" , "user" : "u" }""", TestName = "{m}_between_spaces")]
    [TestCase("""{"model":"gpt-4o-mini"}""", TestName = "{m}_nowhere")]
    public async Task What_is_removed_leaves_valid_JSON_wherever_it_stood(string body)
    {
        Setup.Mini.Remove.Add("user");
        Setup.Mini.Set["seed"] = Json("1");
        await StartAsync();
        Assert.That((await PostAsync(body)).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Json.ContainsKey("user"), Is.False);
        Assert.That((int?)Upstream.Request.Json["seed"], Is.EqualTo(1));
        Assert.That((string?)Upstream.Request.Json["model"], Is.EqualTo(Chat.UpstreamModel));
    }

    [Test]
    public async Task Set_works_on_an_otherwise_empty_request_and_a_null_counts_as_given()
    {
        Setup.Mini.Set["seed"] = Json("1");
        Setup.Mini.Default["max_tokens"] = Json("5");
        await StartAsync();
        await PostAsync("""{"model":"gpt-4o-mini","max_tokens":null}""");
        Assert.That(JsonDocument.Parse(Upstream.Request.Text).RootElement.GetProperty("seed").GetInt32(), Is.EqualTo(1));
        Assert.That(Upstream.Request.Json.ContainsKey("max_tokens"));
    }

    [Test]
    public async Task A_twin_of_a_parameter_that_we_change_is_refused()
    {
        Setup.Mini.Set["temperature"] = Json("0.2");
        await StartAsync();
        Contract.AssertError(await PostAsync("""{"model":"gpt-4o-mini","temperature":1,"temperature":2}"""), 400, "duplicate_key", "temperature");
        Contract.AssertError(await PostAsync("""{"model":"gpt-4o-mini","Temperature":1}"""), 400, "ambiguous_key");
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task Headers_of_the_upstream_and_of_the_model_go_up()
    {
        Setup.Main.Headers["X-Tenant"] = "tenant-1";
        Setup.Main.Headers["User-Agent"] = "gateway";
        Setup.Mini.Headers["X-Model-Class"] = "small";
        await StartAsync();
        await PostAsync(Chat.Request(), ChatPath, "X-Tenant: evil", "User-Agent: client");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Upstream.Request.Headers.All("X-Tenant"), Is.EqualTo(new[] { "tenant-1" }));
            Assert.That(Upstream.Request.Headers.All("X-Model-Class"), Is.EqualTo(new[] { "small" }));
            Assert.That(Upstream.Request.Headers.All("User-Agent"), Is.EqualTo(new[] { "gateway" }));
        }
    }

    [Test]
    public async Task Two_models_of_one_upstream_are_customised_apart()
    {
        Setup.Options.Models["other"] = ProxySetup.Model("main", "other-up");
        Setup.Mini.Set["seed"] = Json("1");
        Setup.Mini.Headers["X-Only-Mini"] = "1";
        await StartAsync();
        await PostAsync(Chat.Request());
        await PostAsync(Chat.Request(model: "other"));
        UpstreamRequest second = await Upstream.WaitForAsync(2);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(second.Json.ContainsKey("seed"), Is.False);
            Assert.That(second.Headers["X-Only-Mini"], Is.Null);
            Assert.That((string?)second.Json["model"], Is.EqualTo("other-up"));
        }
    }

    [Test]
    public async Task Each_model_goes_to_its_own_upstream_with_its_own_key()
    {
        const string SecondKey = "up-second-key-0001";
        ScriptedUpstream second = NewUpstream();
        Setup.Options.Upstreams["second"] = new UpstreamOptions { Url = second.Url, ApiKey = SecondKey };
        Setup.Options.Models["far"] = ProxySetup.Model("second", "far-up");
        await StartAsync();
        await PostAsync(Chat.Request());
        await PostAsync(Chat.Request(model: "far"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Upstream.Request.Headers["Authorization"], Is.EqualTo("Bearer " + Canary.UpstreamKey));
            Assert.That(second.Request.Headers["Authorization"], Is.EqualTo("Bearer " + SecondKey));
            Assert.That((string?)second.Request.Json["model"], Is.EqualTo("far-up"));
        }

        ExpectUpstreamRequests(2);
    }

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement.Clone();
}
