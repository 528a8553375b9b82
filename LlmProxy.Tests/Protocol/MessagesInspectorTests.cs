using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using LlmProxy.Core.Protocol;
using LlmProxy.Tests.Support;
using NUnit.Framework;
using static LlmProxy.Core.Protocol.StreamEventKind;

namespace LlmProxy.Tests.Protocol;

/// <summary>Anthropic's Messages, event by event. Every stream is also read cut in two at every byte.</summary>
internal sealed class MessagesInspectorTests
{
    [Test]
    public void A_whole_stream_is_held_until_output_and_ends_with_its_final_event()
    {
        WatchedStream read = Read(MessageEvents.Whole("Hel", "lo", " \"you\"", "\\", "🦓"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(read.Kinds, Is.EqualTo(new[] { Preamble, Preamble, Preamble, Output, Output, Output, Output, Output, Preamble, Output, Done }));
            Assert.That((read.Inspector.IsFinished, read.Inspector.IsWholeAtDone), Is.EqualTo((true, true)));
            Assert.That(read.Inspector.Usage, Is.EqualTo(new Usage(132, 100, 15) { WrittenInput = 7 }));
            Assert.That(read.Inspector.EndMark.IsEmpty, "a missing end is nobody's to supply");
        }
    }

    [TestCase("{\"type\":\"text\",\"text\":\"\"}", Preamble)]
    [TestCase("{\"type\":\"text\",\"text\":\"\",\"citations\":[]}", Preamble)]
    [TestCase("{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}", Preamble)]
    [TestCase("{\"type\":\"text\",\"text\":\"Hi\"}", Output)]
    [TestCase("{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}", Output)]
    [TestCase("{\"type\":\"redacted_thinking\",\"data\":\"x\"}", Output)]
    [TestCase("{\"type\":\"something_new\"}", Output)]
    public void The_start_of_a_block_is_taken_for(string block, StreamEventKind kind) =>
        Assert.That(Read(MessageEvents.BlockStart(block)).Kinds, Is.EqualTo(new[] { kind }));

    [TestCase("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"\"}}\n\n", Preamble)]
    [TestCase("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"h\"}}\n\n", Output)]
    [TestCase("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}\n\n", Output)]
    [TestCase("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"citations_delta\",\"citation\":{\"a\":1}}}\n\n", Output)]
    [TestCase("event: something_new\ndata: {\"type\":\"something_new\"}\n\n", Output)]
    [TestCase("data: {\"type\":\"ping\"}\n\n", Preamble)]
    [TestCase("event: ping\ndata: {}\n\n", Preamble)]
    [TestCase("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n", Failure)]
    [TestCase("data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n", Failure)]
    [TestCase("event: error\ndata: nothing to read\n\n", Failure)]
    [TestCase("data: {\"error\":{\"message\":\"m\"}}\n\n", Failure)]
    [TestCase("data: [DONE]\n\n", Done)]
    [TestCase("data: {\"type\":\"message_stop\"} x\n\n", Output)]
    public void One_event_is_taken_for(string text, StreamEventKind kind) => Assert.That(Read(text).Kinds, Is.EqualTo(new[] { kind }));

    [TestCase("overloaded_error", 529)]
    [TestCase("rate_limit_error", 429)]
    [TestCase("invalid_request_error", 400)]
    [TestCase("request_too_large", 413)]
    [TestCase("authentication_error", 502)]
    [TestCase("api_error", 502)]
    [TestCase("something_new", 502)]
    public void An_error_event_has_the_status_that_it_would_have_had(string type, int status) =>
        Assert.That(Read(MessageEvents.Error(type, "Words.")).Inspector.Failure?.Status, Is.EqualTo(status));

    [Test]
    public void An_end_without_a_message_is_no_whole_one()
    {
        Assert.That(Read(MessageEvents.Stop).Inspector.IsWholeAtDone, Is.False);
        Assert.That(Read(Sse.Done).Inspector.IsWholeAtDone, Is.False);
        Assert.That(Read(MessageEvents.Start + MessageEvents.Stop).Inspector.IsWholeAtDone, Is.True);
    }

    [Test]
    public void Until_the_end_the_output_is_left_open() =>
        Assert.That(Read(MessageEvents.Begun + MessageEvents.Delta("Hi")).Inspector.Usage, Is.EqualTo(new Usage(132, 100, -1) { WrittenInput = 7 }));

    [Test]
    public void The_model_is_put_back_in_the_message_and_nowhere_else()
    {
        string stream = MessageEvents.Whole("{\"model\":\"upstream-mini\"}");
        string expected = stream.Replace("\"role\":\"assistant\",\"model\":\"upstream-mini\"", "\"role\":\"assistant\",\"model\":\"asked\"", StringComparison.Ordinal);
        Assert.That(WatchedStream.Read(Dialect.Messages, stream, "asked").Output, Is.EqualTo(expected).And.Not.EqualTo(stream));
    }

    [Test]
    public void Our_error_event_is_one_of_Anthropic_s()
    {
        JsonObject data = ErrorEventOf(Read(MessageEvents.Begun), ProxyErrors.Truncated);
        using (Assert.EnterMultipleScope())
        {
            Assert.That((string?)data["type"], Is.EqualTo("error"));
            Assert.That((string?)data["error"]!["type"], Is.EqualTo("api_error"));
            Assert.That((string?)data["error"]!["message"], Is.EqualTo(ProxyErrors.Truncated.Message));
            Assert.That((string?)data["request_id"], Is.EqualTo("id-1"));
        }
    }

    [Test]
    public void An_upstream_s_error_keeps_its_words_but_for_secrets()
    {
        const string Words = "prompt is too long: 210000 tokens > 200000 maximum \"Bearer sk-ant-abcdef123\"";
        WatchedStream read = Read(MessageEvents.Error("invalid_request_error", Words));
        JsonObject error = ErrorEventOf(read, read.Inspector.Failure!)["error"]!.AsObject();
        Assert.That(((string?)error["type"], (string?)error["message"]),
            Is.EqualTo(("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum \"[redacted]\"")));
    }

    private static WatchedStream Read(string stream) => WatchedStream.Read(Dialect.Messages, stream);

    private static JsonObject ErrorEventOf(WatchedStream read, ProxyError error)
    {
        var output = new ArrayBufferWriter<byte>();
        read.Inspector.WriteErrorEvent(error, error.Message, "id-1", output);
        string text = Encoding.UTF8.GetString(output.WrittenSpan);
        Assert.That(text, Does.StartWith("event: error\ndata: ").And.EndWith("\n\n"));
        return JsonNode.Parse(Sse.Data(text).Single())!.AsObject();
    }
}
