using System.Text.Json.Nodes;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Anthropic's Messages, passed in their own form.</summary>
public sealed class MessagesTests : ProxyFixture
{
    [SetUp]
    public void UseAnthropic() => Setup.Main.Kind = UpstreamKind.Anthropic;

    [Test]
    public async Task A_whole_stream_passes_byte_for_byte_and_ends_with_its_final_event()
    {
        string stream = MessageEvents.Whole("Hel", "lo", " \"you\"");
        Upstream.Next(Replies.StreamOf(stream));
        await StartAsync();
        RawResponse response = await PostAsync(MessageEvents.Request(stream: true), MessageEvents.Path);
        Contract.AssertWhole(response, stream);
        Assert.That(response.Headers["request-id"], Is.EqualTo(response.Headers["x-request-id"]));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Operation, record.InputTokens, record.OutputTokens), Is.EqualTo(("ok", "messages", (long?)132, (long?)15)));
    }

    [Test]
    public async Task The_upstream_gets_its_own_kind_of_key_and_a_version_if_the_client_sent_none()
    {
        Upstream.Otherwise(Replies.Json(200, MessageEvents.Message("Hi"), ("request-id", "req_up")));
        await StartAsync();
        RawResponse response = await PostAsync(MessageEvents.Request(), MessageEvents.Path);
        await PostAsync(MessageEvents.Request(), MessageEvents.Path, "anthropic-version: 2099-01-01", "anthropic-beta: a", "anthropic-beta: b");
        WireHeaders plain = Upstream.Requests[0].Headers;
        WireHeaders versioned = Upstream.Requests[1].Headers;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Text, Is.EqualTo(MessageEvents.Message("Hi")));
            Assert.That(response.Headers["x-upstream-request-id"], Is.EqualTo("req_up"));
            Assert.That((plain["x-api-key"], plain["authorization"]), Is.EqualTo((Canary.UpstreamKey, null as string)));
            Assert.That(plain["anthropic-version"], Is.EqualTo("2023-06-01"));
            Assert.That(versioned["anthropic-version"], Is.EqualTo("2099-01-01"));
            Assert.That(versioned["anthropic-beta"]?.Replace(" ", "", StringComparison.Ordinal), Is.EqualTo("a,b"));
            Assert.That(Upstream.Requests[0].Target, Is.EqualTo("/v1/messages"));
        }
    }

    [Test]
    public async Task Tokens_are_counted_by_the_upstream()
    {
        Upstream.Next(Replies.Json(200, "{\"input_tokens\":2095}"));
        await StartAsync();
        RawResponse response = await PostAsync(MessageEvents.Request(), "/v1/messages/count_tokens");
        Assert.That((response.Status, response.Text), Is.EqualTo((200, "{\"input_tokens\":2095}")));
        Assert.That(Upstream.Request.Target, Is.EqualTo("/v1/messages/count_tokens"));
        Assert.That((string?)Upstream.Request.Json["model"], Is.EqualTo(Chat.UpstreamModel));
    }

    [TestCase(true, TestName = "{m}_though_the_upstream_ended_cleanly")]
    [TestCase(false, TestName = "{m}_when_the_connection_was_cut")]
    public async Task A_stream_without_its_final_event_is_broken(bool cleanEnd)
    {
        string begun = MessageEvents.Begun + MessageEvents.Delta("Hi") + MessageEvents.BlockStop + MessageEvents.MessageDelta();
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(begun + "event: message_st");
            await (cleanEnd ? exchange.LastChunkAsync() : Task.CompletedTask);
            exchange.Close();
        });
        await StartAsync();
        RawResponse response = await PostAsync(MessageEvents.Request(stream: true), MessageEvents.Path);
        JsonObject error = AssertBroken(response, begun);
        Assert.That((string?)error["type"], Is.EqualTo("api_error"));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.OutputTokens), Is.EqualTo(("upstream_truncated", "upstream", (long?)15)));
    }

    [Test]
    public async Task An_error_event_in_the_middle_breaks_the_stream_and_passes_in_its_own_words()
    {
        string begun = MessageEvents.Begun + MessageEvents.Delta("Hi");
        Upstream.Next(Replies.StreamOf(begun + MessageEvents.Error("overloaded_error", $"Overloaded \"{Canary.UpstreamKey}\"") + MessageEvents.Stop));
        await StartAsync();
        RawResponse response = await PostAsync(MessageEvents.Request(stream: true), MessageEvents.Path);
        JsonObject error = AssertBroken(response, begun);
        Assert.That(((string?)error["type"], (string?)error["message"]), Is.EqualTo(("overloaded_error", "Overloaded \"[redacted]\"")));
    }

    [Test]
    public async Task An_error_before_any_output_still_has_its_true_status()
    {
        Upstream.Next(Replies.StreamOf(MessageEvents.Error("overloaded_error", "Overloaded")));
        Upstream.Next(Replies.StreamOf(MessageEvents.Begun + MessageEvents.Error("rate_limit_error", "Slow down.")));
        Upstream.Next(Replies.StreamOf(MessageEvents.Begun));
        await StartAsync();
        foreach ((int status, string type) in ((int, string)[])[(529, "overloaded_error"), (429, "rate_limit_error"), (502, "api_error")])
        {
            RawResponse response = await PostAsync(MessageEvents.Request(stream: true), MessageEvents.Path);
            Assert.That((response.Status, (string?)response.Json["error"]!["type"]), Is.EqualTo((status, type)));
            Assert.That(response.Headers["Retry-After"], Is.Not.Null);
        }
    }

    [Test]
    public async Task The_model_that_was_asked_for_is_put_back_where_configured()
    {
        Setup.Mini.ResponseModel = ResponseModelName.Asked;
        string stream = MessageEvents.Whole("{\"model\":\"upstream-mini\"}");
        Upstream.Next(Replies.StreamOf(stream));
        Upstream.Next(Replies.Json(200, MessageEvents.Message("Hi")));
        await StartAsync();
        Contract.AssertWhole(
            await PostAsync(MessageEvents.Request(stream: true), MessageEvents.Path),
            stream.Replace("\"role\":\"assistant\",\"model\":\"upstream-mini\"", "\"role\":\"assistant\",\"model\":\"gpt-4o-mini\"", StringComparison.Ordinal));
        Assert.That((string?)(await PostAsync(MessageEvents.Request(), MessageEvents.Path)).Json["model"], Is.EqualTo("gpt-4o-mini"));
    }

    private static JsonObject AssertBroken(RawResponse response, string begun)
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Status, Is.EqualTo(200));
            Assert.That(response.End, Is.EqualTo(BodyEnd.Unterminated));
            Assert.That(response.Text, Does.StartWith(begun + "event: error\n").And.EndWith("\n\n").And.Not.Contain("message_stop"));
        }

        JsonObject data = JsonNode.Parse(Sse.Data(response.Text)[^1])!.AsObject();
        Assert.That(((string?)data["type"], (string?)data["request_id"]), Is.EqualTo(("error", response.Headers["x-request-id"])));
        return data["error"]!.AsObject();
    }
}
