using System.ClientModel;
using System.ClientModel.Primitives;
using Azure.AI.OpenAI;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;
using OpenAI.Chat;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Clients that were made for Azure: the model in the path, the key in a header of its own.</summary>
public sealed class AzureClientTests : ProxyFixture
{
    private const string Path = "/v1/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21";
    private const string NoModel = "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";

    [TestCase(NoModel)]
    [TestCase("{\"model\":\"text-embedding-3-small\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}")]
    [TestCase("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"model\":null}")]
    public async Task The_paths_model_counts_and_is_what_goes_up_in_the_body(string body)
    {
        await StartAsync();
        RawResponse response = await AskAsync(body);
        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Upstream.Request.Target, Is.EqualTo("/v1/chat/completions"));
            Assert.That((string?)Upstream.Request.Json["model"], Is.EqualTo(Chat.UpstreamModel));
            Assert.That(Upstream.Request.Json["messages"]!.ToJsonString(), Is.EqualTo("[{\"role\":\"user\",\"content\":\"hi\"}]"));
            Assert.That(Upstream.Request.Headers["api-key"], Is.Null);
        }

        RecordView record = await RecordAsync();
        Assert.That((record.Model, record.Operation, record.Caller), Is.EqualTo(("gpt-4o-mini", "chat", "tester")));
    }

    [TestCase("/v1/openai/deployments/gpt-4o-mini/chat/completions", NoModel, "/v1/chat/completions")]
    [TestCase("/v1/openai/deployments/gpt-4o-mini/completions?api-version=", "{\"prompt\":\"hi\"}", "/v1/completions")]
    [TestCase("/v1/openai/deployments/text-embedding-3-small/embeddings?api-version=9999-99-99", "{\"input\":\"hi\"}", "/v1/embeddings")]
    [TestCase("/v1/openai/v1/chat/completions?api-version=preview", "{\"model\":\"gpt-4o-mini\",\"messages\":[]}", "/v1/chat/completions")]
    public async Task Whatever_version_is_asked_for(string path, string body, string target)
    {
        await StartAsync();
        Assert.That((await AskAsync(body, path)).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Target, Is.EqualTo(target));
    }

    [TestCase("gpt-4o-minii", 404, "model_not_found")]
    [TestCase("gpt-4o-mini%0A", 400, "invalid_model")]
    [TestCase("..%2F..%2Fadmin", 404, "model_not_found")]
    [TestCase("%E2%80%AEevil", 404, "model_not_found")]
    public async Task A_model_that_is_none_is_refused_as_one_in_a_body_is(string model, int status, string code)
    {
        await StartAsync();
        Contract.AssertError(await AskAsync(NoModel, Path.Replace("gpt-4o-mini", model, StringComparison.Ordinal)), status, code, "model");
        ExpectUpstreamRequests(0);
    }

    [Test]
    [Category("S15")]
    public async Task S15_a_model_of_others_is_not_reached_by_naming_an_allowed_one_in_the_body()
    {
        Setup.Options.Keys["tester"].Models = ["text-embedding-3-small"];
        await StartAsync();
        Contract.AssertError(await AskAsync("{\"model\":\"text-embedding-3-small\",\"messages\":[]}"), 404, "model_not_found");
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task Another_prefix_holds_for_them_too()
    {
        Setup.Prefix = "/llm";
        await StartAsync();
        Assert.That((await AskAsync(NoModel, Path.Replace("/v1/", "/llm/", StringComparison.Ordinal))).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task The_real_client_chats_streams_and_embeds()
    {
        await StartAsync();
        AzureOpenAIClient client = NewAzureClient();
        ChatCompletion completion = await client.GetChatClient("gpt-4o-mini").CompleteChatAsync("hello");
        string streamed = "";
        await foreach (StreamingChatCompletionUpdate update in client.GetChatClient("gpt-4o-mini").CompleteChatStreamingAsync("hello"))
        {
            streamed += string.Concat(update.ContentUpdate.Select(part => part.Text));
        }

        ReadOnlyMemory<float> vector = (await client.GetEmbeddingClient("text-embedding-3-small").GenerateEmbeddingAsync("hello")).Value.ToFloats();
        Assert.That((completion.Content[0].Text, streamed), Is.EqualTo(("Hello there", "Hello there")));
        Assert.That(vector.ToArray(), Is.EqualTo(new[] { 0.5f, -1f, 2f }));
    }

    [Test]
    public async Task The_real_client_reaches_a_deployment_behind_a_model_with_a_slash_in_its_name()
    {
        Setup.Main.Kind = UpstreamKind.AzureOpenAI;
        Setup.Main.Url = new Uri($"http://{Upstream.EndPoint}");
        Setup.Main.ApiVersion = "2024-10-21";
        Upstream.Otherwise(Replies.Json(200, Chat.Completion("Hello there")));
        Setup.Options.Models["azure/gpt 5"] = ProxySetup.Model("main", "gpt5-prod");
        await StartAsync();
        ChatCompletion completion = await NewAzureClient().GetChatClient("azure/gpt 5").CompleteChatAsync("hello");
        Assert.That(completion.Content[0].Text, Is.EqualTo("Hello there"));
        Assert.That(Upstream.Request.Target, Is.EqualTo("/openai/deployments/gpt5-prod/chat/completions?api-version=2024-10-21"));
    }

    [Test]
    public async Task The_real_client_sees_a_refusal_as_one()
    {
        await StartAsync();
        ClientResultException refused = Assert.ThrowsAsync<ClientResultException>(
            async () => await NewAzureClient().GetChatClient("nothing").CompleteChatAsync("hello"))!;
        Assert.That((refused.Status, refused.Message), Is.EqualTo((404, refused.Message)));
        Assert.That(refused.Message, Does.Contain("model_not_found"));
        ExpectUpstreamRequests(0);
    }

    private AzureOpenAIClient NewAzureClient() => new(
        new Uri(Proxy.Address, "/v1"),
        new ApiKeyCredential(Canary.ClientKey),
        new AzureOpenAIClientOptions { Transport = new HttpClientPipelineTransport(NewHttpClient()), RetryPolicy = new ClientRetryPolicy(0) });

    private async Task<RawResponse> AskAsync(string body, string path = Path) => await (await SendAsync(RawClient.Request(
        "POST", path, System.Text.Encoding.UTF8.GetBytes(body), ["api-key: " + Canary.ClientKey, "Content-Type: application/json"]))).ReadAsync();
}
