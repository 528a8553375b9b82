using System.Text.Json.Nodes;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>The request that the project was asked for, byte for byte.</summary>
public sealed class IssueRequestTests : ProxyFixture
{
    private const string Body =
        """
        {"model": "deepseekqwen7bq8", "messages": [{"role": "system", "content": "You are a helpful assistant."},
         {"role": "user", "content": "Introduce yourself"}], "temperature": 0.7, "top_p": 1, "stream": true}
        """;

    [Test]
    public async Task It_streams_and_ends_in_done_with_the_model_replaced_on_the_way_up()
    {
        Setup.Options.Models.Clear();
        Setup.Options.Models["deepseekqwen7bq8"] = ProxySetup.Model("main", "deepseek-r1-distill-qwen-7b");
        await StartAsync();
        RawResponse response = await PostAsync(Body);
        Contract.AssertWhole(response, Sse.Whole(Chat.Words("Hello", " there")));
        AssertSent("deepseek-r1-distill-qwen-7b");
    }

    [Test]
    public async Task A_star_sends_whatever_model_is_named_as_the_target_and_lists_only_it()
    {
        Setup.Options.Models.Clear();
        Setup.Options.Models["*"] = ProxySetup.Model("main", "qwen-target");
        await StartAsync();
        RawResponse response = await PostAsync(Body);
        Contract.AssertWhole(response, Sse.Whole(Chat.Words("Hello", " there")));
        AssertSent("qwen-target");
    }

    [Test]
    public async Task A_star_in_the_target_carries_over_what_the_pattern_s_star_stood_for()
    {
        Setup.Options.Models["deepseek*"] = ProxySetup.Model("main", "org/*-instruct");
        await StartAsync();
        await PostAsync(Body);
        AssertSent("org/qwen7bq8-instruct");
    }

    [TestCase("", TestName = "{m}_without_a_path")]
    [TestCase("/v1", TestName = "{m}_with_v1")]
    [TestCase("/v1/", TestName = "{m}_with_v1_and_a_slash")]
    [TestCase("/serving/v1/", TestName = "{m}_with_a_longer_path")]
    public async Task The_upstream_s_address_works(string path)
    {
        Setup.Main.Url = new Uri($"http://127.0.0.1:{Upstream.EndPoint.Port}{path}");
        Setup.Options.Models["*"] = ProxySetup.Model("main", "x");
        await StartAsync();
        Assert.That((await PostAsync(Body)).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Target, Is.EqualTo(path.StartsWith("/serving", StringComparison.Ordinal) ? "/serving/v1/chat/completions" : ChatPath));
    }

    [TestCase(UpstreamKind.OpenAICompatible)]
    [TestCase(UpstreamKind.OpenAI)]
    [TestCase(UpstreamKind.VLlm)]
    [TestCase(UpstreamKind.Ollama)]
    public async Task Every_kind_of_upstream_streams_it(UpstreamKind kind)
    {
        Setup.Main.Kind = kind;
        Setup.Options.Models["*"] = ProxySetup.Model("main", "x");
        await StartAsync();
        RawResponse response = await PostAsync(Body);
        Contract.AssertWhole(response, Sse.Whole(Chat.Words("Hello", " there")));
        Assert.That(Upstream.Request.Headers["Authorization"], Is.EqualTo("Bearer " + Canary.UpstreamKey));
    }

    [Test]
    public async Task Without_an_upstream_key_no_credentials_are_sent()
    {
        Setup.Main.ApiKey = null;
        Setup.Options.Models["*"] = ProxySetup.Model("main", "x");
        await StartAsync();
        Assert.That((await PostAsync(Body)).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Headers["Authorization"], Is.Null);
    }

    private void AssertSent(string model)
    {
        string expected = Body.Replace("\"deepseekqwen7bq8\"", $"\"{model}\"", StringComparison.Ordinal);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Upstream.Request.Text, Is.EqualTo(expected), "every other byte as it came");
            Assert.That(JsonNode.Parse(Upstream.Request.Text)?["model"]?.ToString(), Is.EqualTo(model));
        }
    }
}
