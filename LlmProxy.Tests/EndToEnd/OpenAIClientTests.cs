using System.ClientModel;
using System.ClientModel.Primitives;
using LlmProxy.Tests.Support;
using NUnit.Framework;
using OpenAI.Chat;
using OpenAI.Embeddings;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>The real OpenAI .NET client, as its users use it.</summary>
public sealed class OpenAIClientTests : ProxyFixture
{
    [Test]
    public async Task Chat_answers_with_text_and_usage()
    {
        await StartAsync();
        ChatCompletion completion = await NewOpenAIClient().GetChatClient("gpt-4o-mini").CompleteChatAsync("hello");
        RecordView record = await RecordAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(completion.Content[0].Text, Is.EqualTo("Hello there"));
            Assert.That(completion.FinishReason, Is.EqualTo(ChatFinishReason.Stop));
            Assert.That(completion.Usage.OutputTokenCount, Is.EqualTo(12));
            Assert.That((string?)Upstream.Request.Json["model"], Is.EqualTo(Chat.UpstreamModel));
            Assert.That((record.Operation, record.Caller, record.Model, record.Upstream, record.UpstreamModel, record.End),
                Is.EqualTo(("chat", "tester", "gpt-4o-mini", "main", Chat.UpstreamModel, "ok")));
            Assert.That((record.Status, record.Attempts, record.Streamed, record.InputTokens, record.OutputTokens, record.UsageSource),
                Is.EqualTo((200, 1, false, (long?)9, (long?)12, "upstream")));
        }
    }

    [Test]
    public async Task Streaming_chat_yields_every_word_the_finish_reason_and_the_usage_it_asked_for()
    {
        await StartAsync();
        var words = new List<string>();
        ChatFinishReason? finish = null;
        ChatTokenUsage? usage = null;
        await foreach (StreamingChatCompletionUpdate update in NewOpenAIClient().GetChatClient("gpt-4o-mini").CompleteChatStreamingAsync("hello"))
        {
            words.AddRange(update.ContentUpdate.Select(part => part.Text).Where(text => text.Length > 0));
            finish = update.FinishReason ?? finish;
            usage = update.Usage ?? usage;
        }

        RecordView record = await RecordAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(words, Is.EqualTo(new[] { "Hello", " there" }));
            Assert.That(finish, Is.EqualTo(ChatFinishReason.Stop));
            Assert.That(usage?.OutputTokenCount, Is.EqualTo(12));
            Assert.That((record.End, record.Blame, record.Status, record.Streamed, record.OutputTokens), Is.EqualTo(("ok", (string?)null, 200, true, (long?)12)));
        }
    }

    [Test]
    public async Task Embeddings_come_as_the_vector_the_upstream_computed()
    {
        await StartAsync();
        OpenAIEmbedding embedding = await NewOpenAIClient().GetEmbeddingClient("text-embedding-3-small").GenerateEmbeddingAsync("hello");
        RecordView record = await RecordAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(embedding.ToFloats().ToArray(), Is.EqualTo(new[] { 0.5f, -1f, 2f }));
            Assert.That((string?)Upstream.Request.Json["model"], Is.EqualTo("upstream-embedder"));
            Assert.That(Upstream.Request.Target, Is.EqualTo("/v1/embeddings"));
            Assert.That((record.Operation, record.InputTokens), Is.EqualTo(("embeddings", (long?)4)));
        }
    }

    [Test]
    public async Task The_model_list_holds_the_configured_names_and_asks_no_upstream()
    {
        await StartAsync();
        OpenAI.Models.OpenAIModelClient models = NewOpenAIClient().GetOpenAIModelClient();
        OpenAI.Models.OpenAIModelCollection all = await models.GetModelsAsync();
        OpenAI.Models.OpenAIModel one = await models.GetModelAsync("gpt-4o-mini");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(all.Select(model => model.Id), Is.EquivalentTo(new[] { "gpt-4o-mini", "text-embedding-3-small" }));
            Assert.That(one.Id, Is.EqualTo("gpt-4o-mini"));
        }

        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task A_wrong_key_is_a_401()
    {
        await StartAsync();
        ClientResultException? refusal = Assert.ThrowsAsync<ClientResultException>(
            () => NewOpenAIClient("sk-nobody-gave-me-this").GetChatClient("gpt-4o-mini").CompleteChatAsync("hello"));
        Assert.That(refusal.Status, Is.EqualTo(401));
        Assert.That(refusal.Message, Does.Contain("invalid_api_key"));
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task A_wrong_key_is_a_401_for_a_stream_too_before_its_first_update()
    {
        await StartAsync();
        AsyncCollectionResult<StreamingChatCompletionUpdate> updates =
            NewOpenAIClient("sk-nobody-gave-me-this").GetChatClient("gpt-4o-mini").CompleteChatStreamingAsync("hello");
        ClientResultException? refusal = Assert.ThrowsAsync<ClientResultException>(async () => await updates.GetAsyncEnumerator().MoveNextAsync());
        Assert.That(refusal.Status, Is.EqualTo(401));
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task An_unknown_model_is_a_404_that_names_the_nearest()
    {
        await StartAsync();
        ClientResultException? refusal = Assert.ThrowsAsync<ClientResultException>(
            () => NewOpenAIClient().GetChatClient("gpt-4o-mimi").CompleteChatAsync("hello"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(refusal.Status, Is.EqualTo(404));
            Assert.That(refusal.Message, Does.Contain("model_not_found").And.Contain("gpt-4o-mini"));
        }

        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task A_stream_that_breaks_is_no_success_to_the_client()
    {
        Upstream.Next(Replies.StreamThen([Chat.Role(), Chat.Delta("Hel")], exchange =>
        {
            exchange.Close();
            return Task.CompletedTask;
        }));
        await StartAsync();
        AsyncCollectionResult<StreamingChatCompletionUpdate> updates =
            NewOpenAIClient().GetChatClient("gpt-4o-mini").CompleteChatStreamingAsync("hello");
        Assert.That(
            async () =>
            {
                await foreach (StreamingChatCompletionUpdate update in updates)
                {
                    Assert.That(update.FinishReason, Is.Null);
                }
            },
            Throws.Exception);
    }

    [Test]
    public async Task A_request_that_the_client_retries_reaches_the_upstream_once_per_attempt()
    {
        Upstream.Next(Replies.Json(503, Chat.Error("The engine is overloaded.")));
        await StartAsync();
        var client = new ChatClient("gpt-4o-mini", new ApiKeyCredential(Canary.ClientKey), new OpenAI.OpenAIClientOptions
        {
            Endpoint = new Uri(Proxy.Address, "/v1"),
            Transport = new HttpClientPipelineTransport(NewHttpClient()),
            RetryPolicy = new ClientRetryPolicy(1),
        });
        ChatCompletion completion = await client.CompleteChatAsync("hello");
        Assert.That(completion.Content[0].Text, Is.EqualTo("Hello there"));
        ExpectUpstreamRequests(2);
    }
}
