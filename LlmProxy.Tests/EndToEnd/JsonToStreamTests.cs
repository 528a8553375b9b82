using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A completion that comes whole though a stream was asked for is better than none.</summary>
[Category("U26")]
public sealed class JsonToStreamTests : ProxyFixture
{
    [Test]
    public async Task U26_a_chat_completion_in_JSON_is_streamed()
    {
        Upstream.Otherwise(Replies.Json(200, Chat.Completion("Hello \"there\" 🦓")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true), ChatPath);
        string[] chunks = Sse.Data(response.Text);
        using (Assert.EnterMultipleScope())
        {
            Contract.AssertWhole(response, response.Text);
            Assert.That(chunks, Has.Length.EqualTo(3));
            Assert.That(chunks[0], Does.Contain("\"object\":\"chat.completion.chunk\"").And.Contain("\"delta\":{\"role\":\"assistant\",\"content\":\"Hello"));
            Assert.That(chunks[1], Does.Contain("\"finish_reason\":\"stop\""));
            Assert.That(chunks[2], Is.EqualTo("[DONE]"));
        }

        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Streamed, record.InputTokens, record.OutputTokens), Is.EqualTo(("ok", true, (long?)9, (long?)12)), "usage counts though nobody asked for it");
    }

    [Test]
    public async Task U26_usage_is_told_to_who_asked_for_it()
    {
        Upstream.Otherwise(Replies.Json(200, Chat.Completion("Hi")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true, more: ",\"stream_options\":{\"x\":{},\"include_usage\":true}"));
        Assert.That(Sse.Data(response.Text)[^2], Does.Contain("\"choices\":[],\"usage\":{\"prompt_tokens\":9"));
    }

    [Test]
    public async Task U26_a_legacy_completion_in_JSON_is_streamed()
    {
        Upstream.Otherwise(Replies.Json(200, Chat.LegacyCompletion("Hello there")));
        await StartAsync();
        RawResponse response = await PostAsync("""{"model":"gpt-4o-mini","prompt":"x","stream":true}""", "/v1/completions");
        Contract.AssertWhole(response, response.Text);
        Assert.That(Sse.Data(response.Text)[0], Does.Contain("\"text\":\"Hello there\""));
    }

    [Test]
    public async Task U26_the_model_is_put_back_there_as_well()
    {
        Setup.Mini.ResponseModel = ResponseModelName.Asked;
        Upstream.Otherwise(Replies.Json(200, Chat.Completion("Hi")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        Assert.That(response.Text, Does.Contain("\"model\":\"gpt-4o-mini\"").And.Not.Contain(Chat.UpstreamModel));
    }

    [TestCase("{\"object\":\"list\",\"data\":[]}")]
    [TestCase("{\"id\":\"x\",\"choices\":[]}")]
    public async Task U26_what_is_no_completion_is_a_502(string body)
    {
        Upstream.Otherwise(Replies.Json(200, body));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(stream: true)), 502, "upstream_not_streaming");
    }

    [Test]
    public async Task U25_an_error_in_JSON_stays_one()
    {
        Upstream.Otherwise(Replies.Json(200, Chat.Error("No capacity.")));
        await StartAsync();
        Assert.That(Contract.AssertError(await PostAsync(Chat.Request(stream: true)), 502, "upstream_error")["message"]!.ToString(), Does.Contain("No capacity."));
    }
}
