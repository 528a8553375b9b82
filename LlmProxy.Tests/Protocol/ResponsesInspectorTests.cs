using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using LlmProxy.Core.Protocol;
using LlmProxy.Tests.Support;
using NUnit.Framework;
using static LlmProxy.Core.Protocol.StreamEventKind;

namespace LlmProxy.Tests.Protocol;

/// <summary>OpenAI's Responses, event by event. Every stream is also read cut in two at every byte.</summary>
internal sealed class ResponsesInspectorTests
{
    [Test]
    public void A_whole_stream_is_held_until_output_and_ends_with_its_final_event()
    {
        WatchedStream read = Read(ResponseEvents.Whole("Hel", "lo", " \"you\"", "\\", "🦓"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(read.Kinds, Is.EqualTo(new[] { Preamble, Preamble, Output, Output, Output, Output, Output, Output, Done }));
            Assert.That((read.Inspector.IsFinished, read.Inspector.IsWholeAtDone, read.Inspector.Failure), Is.EqualTo((true, true, (ProxyError?)null)));
            Assert.That(read.Inspector.Usage, Is.EqualTo(new Usage(36, 20, 87) { Reasoning = 0 }));
            Assert.That(read.Inspector.StoredId, Is.EqualTo(ResponseEvents.Id));
            Assert.That(read.Inspector.EndMark.IsEmpty, "a missing end is nobody's to supply");
        }
    }

    [TestCase("completed")]
    [TestCase("incomplete")]
    [TestCase("failed")]
    public void Each_of_the_final_events_is_a_whole_end(string how)
    {
        WatchedStream read = Read(ResponseEvents.Begun + ResponseEvents.Delta("Hi", 2) + ResponseEvents.Ended(how, 3));
        Assert.That((read.Kinds[^1], read.Inspector.IsWholeAtDone, read.Inspector.EarlyFailure), Is.EqualTo((Done, true, (ProxyError?)null)));
    }

    [Test]
    public void Nothing_is_finished_without_a_final_event()
    {
        string whole = ResponseEvents.Whole("Hi");
        WatchedStream read = Read(whole[..^1]);
        Assert.That((read.Kinds.Contains(Done), read.Inspector.IsFinished), Is.EqualTo((false, false)));
    }

    [Test]
    public void A_mark_of_another_dialect_is_no_whole_end()
    {
        WatchedStream read = Read(ResponseEvents.Begun + ResponseEvents.Delta("Hi", 2) + Sse.Done);
        Assert.That((read.Kinds[^1], read.Inspector.IsWholeAtDone), Is.EqualTo((Done, false)));
    }

    [TestCase("event: response.queued\ndata: {\"type\":\"response.queued\",\"sequence_number\":0,\"response\":{\"id\":\"r\"}}\n\n", Preamble)]
    [TestCase("data: {\"type\":\"response.in_progress\"}\n\n", Preamble)]
    [TestCase("event: response.created\ndata: {\"response\":{}}\n\n", Preamble)]
    [TestCase(": comment\n\n", Preamble)]
    [TestCase("event: response.new_thing\ndata: {\"type\":\"response.new_thing\"}\n\n", Output)]
    [TestCase("data: {\"type\":\"response\\u002ecreated\"}\n\n", Preamble)]
    [TestCase("data: 12\n\n", Output)]
    [TestCase("data: <html>\n\n", Output)]
    [TestCase("event: error\ndata: {\"type\":\"error\",\"code\":\"x\",\"message\":\"m\",\"param\":null,\"sequence_number\":3}\n\n", Failure)]
    [TestCase("data: {\"type\":\"error\",\"message\":\"m\"}\n\n", Failure)]
    [TestCase("data: {\"error\":{\"message\":\"m\"}}\n\n", Failure)]
    [TestCase("data: {\"type\":\"response.output_text.delta\",\"error\":{\"message\":\"m\"}}\n\n", Failure)]
    [TestCase("event: error\ndata:\n\n", Failure)]
    [TestCase("data: {\"type\":\"response.created\",\ndata: \"response\":{\"id\":\"r\"}}\n\n", Preamble)]
    [TestCase("data: {\"type\":\"response.completed\",\ndata: \"response\":{\"id\":\"r\"}}\n\n", Done)]
    [TestCase("data: {\"type\":\"response.completed\"} x\n\n", Output)]
    public void One_event_is_taken_for(string text, StreamEventKind kind) => Assert.That(Read(text).Kinds, Is.EqualTo(new[] { kind }));

    [Test]
    public void The_model_is_put_back_in_the_response_and_nowhere_else()
    {
        string stream = ResponseEvents.Whole("{\"model\":\"upstream-mini\"}");
        WatchedStream read = WatchedStream.Read(Dialect.Responses, stream, "asked");
        string expected = stream.Replace(",\"model\":\"upstream-mini\",\"output\"", ",\"model\":\"asked\",\"output\"", StringComparison.Ordinal);
        Assert.That(read.Output, Is.EqualTo(expected).And.Not.EqualTo(stream));
    }

    [TestCase("server_error", 502)]
    [TestCase("rate_limit_exceeded", 429)]
    [TestCase("server_is_overloaded", 503)]
    [TestCase("context_length_exceeded", 400)]
    [TestCase("invalid_prompt", 0)]
    public void A_failure_before_any_output_is_one_that_another_upstream_may_mend_or_the_client_s_to_see(string code, int status)
    {
        WatchedStream read = Read(ResponseEvents.Begun + ResponseEvents.Failed(2, code));
        Assert.That(read.Inspector.EarlyFailure?.Status ?? 0, Is.EqualTo(status));
    }

    [TestCase("{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"code\":\"context_length_exceeded\",\"message\":\"Too long.\"}}", 400)]
    [TestCase("{\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"Slow down.\"}", 429)]
    [TestCase("{\"type\":\"error\",\"code\":\"invalid_api_key\",\"message\":\"No.\"}", 502)]
    [TestCase("{\"type\":\"error\",\"code\":null,\"message\":\"Boom.\"}", 502)]
    [TestCase("boom", 502)]
    public void An_error_event_has_the_status_that_it_would_have_had(string data, int status) =>
        Assert.That(Read($"event: error\ndata: {data}\n\n").Inspector.Failure?.Status, Is.EqualTo(status));

    [Test]
    public void The_error_event_has_the_next_number_and_the_last_response()
    {
        WatchedStream read = Read(ResponseEvents.Begun + ResponseEvents.ItemAdded
            + string.Concat(Enumerable.Range(3, 30).Select(i => ResponseEvents.Delta("token", i, new string('x', i % 7)))));
        JsonObject data = ErrorEventOf(read, ProxyErrors.Truncated);
        JsonObject response = data["response"]!.AsObject();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((string?)data["type"], Is.EqualTo("response.failed"));
            Assert.That((long?)data["sequence_number"], Is.EqualTo(33));
            Assert.That((string?)data["error"]!["code"], Is.EqualTo("upstream_truncated"), "for clients that raise whatever has an error");
            Assert.That((string?)response["id"], Is.EqualTo(ResponseEvents.Id));
            Assert.That((string?)response["status"], Is.EqualTo("failed"));
            Assert.That((string?)response["error"]!["code"], Is.EqualTo("upstream_truncated"));
            Assert.That(response["output"]!.AsArray(), Is.Empty);
            Assert.That(response.Count(member => member.Key is "status" or "error"), Is.EqualTo(2));
        }
    }

    [Test]
    public void The_error_event_of_a_stream_that_never_began_is_one_all_the_same()
    {
        JsonObject data = ErrorEventOf(Read(""), ProxyErrors.Reset);
        Assert.That(((long?)data["sequence_number"], (string?)data["response"]!["object"]), Is.EqualTo((0L, "response")));
    }

    [Test]
    public void The_upstream_s_own_code_is_kept_for_clients_that_act_on_it()
    {
        WatchedStream read = Read("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"code\":\"context_length_exceeded\",\"message\":\"Too long.\"}}\n\n");
        Assert.That((string?)ErrorEventOf(read, read.Inspector.Failure!)["response"]!["error"]!["code"], Is.EqualTo("context_length_exceeded"));
    }

    [Test]
    public void The_heartbeat_repeats_the_response_while_it_has_no_output_that_a_repetition_would_take_back()
    {
        Assert.That(Heartbeat(Read("")), Is.EqualTo(": keep-alive\n"));
        Assert.That(Heartbeat(Read(ResponseEvents.Begun + ResponseEvents.ItemAdded)), Is.EqualTo(": keep-alive\n"));
        WatchedStream read = WatchedStream.Read(Dialect.Responses, ResponseEvents.Begun, "asked");
        string heartbeat = Heartbeat(read);
        JsonObject data = JsonNode.Parse(Sse.Data(heartbeat).Single())!.AsObject();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(heartbeat, Does.StartWith("event: response.in_progress\ndata: ").And.EndWith("\n\n"));
            Assert.That(((string?)data["type"], (long?)data["sequence_number"]), Is.EqualTo(("response.in_progress", 1L)));
            Assert.That((string?)data["response"]!["model"], Is.EqualTo("asked"));
            Assert.That((string?)data["response"]!["status"], Is.EqualTo("in_progress"));
        }
    }

    [Test]
    public void Of_a_large_response_little_is_kept()
    {
        string large = "{\"id\":\"r\",\"object\":\"response\",\"instructions\":\"" + new string('i', 50_000) + "\",\"tools\":[\"" + new string('t', 50_000)
            + "\"],\"input\":\"" + new string('x', 5_000) + "\",\"model\":\"m\",\"output\":[]}";
        byte[] kept = ResponseOutline.Of(Encoding.UTF8.GetBytes(large), default);
        Assert.That(Encoding.UTF8.GetString(kept), Is.EqualTo("{\"id\":\"r\",\"object\":\"response\",\"instructions\":null,\"tools\":[],\"model\":\"m\",\"output\":[]}"));
    }

    private static WatchedStream Read(string stream) => WatchedStream.Read(Dialect.Responses, stream);

    private static string Heartbeat(WatchedStream read) => Encoding.UTF8.GetString(read.Inspector.Heartbeat);

    private static JsonObject ErrorEventOf(WatchedStream read, ProxyError error)
    {
        var output = new ArrayBufferWriter<byte>();
        read.Inspector.WriteErrorEvent(error, error.Message, "id-1", output);
        string text = Encoding.UTF8.GetString(output.WrittenSpan);
        Assert.That(text, Does.StartWith("event: response.failed\ndata: ").And.EndWith("\n\n"));
        return JsonNode.Parse(Sse.Data(text).Single())!.AsObject();
    }
}
