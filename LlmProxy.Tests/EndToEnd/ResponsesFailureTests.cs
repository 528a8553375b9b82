using System.Text.Json.Nodes;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Responses that are whole and say that they failed: what of it the client gets, and what the books say.</summary>
public sealed class ResponsesFailureTests : ProxyFixture
{
    private const string Clean = "[redacted]";

    private static readonly string s_begun = ResponseEvents.Begun + ResponseEvents.Delta("Hi", 2);

    [SetUp]
    public void UseOpenAI() => Setup.Main.Kind = UpstreamKind.OpenAI;

    [TestCase("server_error", "upstream_error", "upstream")]
    [TestCase("rate_limit_exceeded", "rate_limit_exceeded", "upstream")]
    [TestCase("invalid_request_error", "upstream_error", "client")]
    [TestCase("never_heard_of", "upstream_error", "upstream")]
    public async Task One_that_failed_passes_as_it_came_and_the_record_says_so(string code, string end, string blame)
    {
        string stream = s_begun + ResponseEvents.Failed(3, code);
        string json = ResponseEvents.Response("failed", error: "{\"code\":\"" + code + "\",\"message\":\"Boom.\"}");
        Upstream.Next(Replies.StreamOf(stream));
        Upstream.Next(Replies.Json(200, json));
        await StartAsync();
        Contract.AssertWhole(await AskAsync(stream: true), stream);
        RawResponse answer = await AskAsync(stream: false);
        Assert.That((answer.Status, answer.Text), Is.EqualTo((200, json)));
        await Deadline.Until(() => Proxy.Records.Count == 2);
        Assert.That(Proxy.Records.Select(r => (r.End, r.Blame, r.Status)), Is.All.EqualTo((end, blame, 200)));
    }

    [Test]
    public async Task One_without_a_word_about_why_has_failed_all_the_same()
    {
        Upstream.Next(Replies.StreamOf(s_begun + ResponseEvents.Ended("failed", 3)));
        Upstream.Next(Replies.StreamOf(s_begun + ResponseEvents.Ended("incomplete", 3)));
        await StartAsync();
        await AskAsync(stream: true);
        await AskAsync(stream: true);
        await Deadline.Until(() => Proxy.Records.Count == 2);
        Assert.That(Proxy.Records.Select(r => r.End), Is.EqualTo(new[] { "upstream_error", "ok" }));
    }

    [Test]
    public async Task One_that_is_kept_and_asked_for_again_is_what_was_asked_for()
    {
        string json = ResponseEvents.Response("failed", error: "{\"code\":\"server_error\",\"message\":\"" + Canary.UpstreamKey + "\"}");
        Upstream.Next(Replies.StreamOf(s_begun + ResponseEvents.Failed(3, "server_error")));
        Upstream.Next(Replies.Json(200, json));
        await StartAsync();
        await AskAsync(stream: true);
        RawResponse again = await GetAsync(ResponseEvents.Path + "/" + ResponseEvents.Id);
        Assert.That((again.Status, again.Text), Is.EqualTo((200, json.Replace(Canary.UpstreamKey, Clean, StringComparison.Ordinal))));
        await Deadline.Until(() => Proxy.Records.Count == 2);
        Assert.That(Proxy.Records[1].End, Is.EqualTo("ok"));
    }

    [TestCase(Canary.UpstreamKey)]
    [TestCase("sk-proj-****abcd")]
    [TestCase("\\u0075p-canary-4uZkq81WmXo7", TestName = "{m}_in_escapes")]
    [Category("S10")]
    public async Task S10_the_upstreams_secrets_in_the_error_are_taken_out_and_nothing_else(string secret)
    {
        string failed = ResponseEvents.Failed(3, "invalid_request_error", $"Key {secret} is bad.");
        string json = ResponseEvents.Response("failed", error: "{ \"code\" : \"server_error\",\"message\":\"Key " + secret + " is bad.\"}");
        Upstream.Next(Replies.StreamOf(s_begun + failed));
        Upstream.Next(Replies.Json(200, json));
        await StartAsync();
        string expected = failed.Replace(secret, Clean, StringComparison.Ordinal);
        Contract.AssertWhole(await AskAsync(stream: true), s_begun + expected);
        RawResponse answer = await AskAsync(stream: false);
        JsonNode error = answer.Json["error"]!;
        Assert.That(((string?)error["code"], (string?)error["message"]), Is.EqualTo(("server_error", $"Key {Clean} is bad.")));
        Assert.That(
            answer.Text.Remove(answer.Text.IndexOf("\"error\":{", StringComparison.Ordinal), error.ToJsonString().Length),
            Is.EqualTo(json.Remove(json.IndexOf("\"error\":{", StringComparison.Ordinal), json.IndexOf('}', StringComparison.Ordinal) - json.IndexOf("\"error\":{", StringComparison.Ordinal) - "\"error\":".Length + 1)));
    }

    [TestCase(10_000)]
    [TestCase(1000)]
    [Category("S10")]
    public async Task S10_the_upstreams_secrets_in_the_error_of_an_answer_too_large_to_be_held_are_taken_out(int more)
    {
        Setup.Options.Limits.HeldAnswer = 2048;
        string text = new('x', 2048 + more);
        string json = ResponseEvents.Response(
            "failed", "[{\"type\":\"message\",\"text\":\"" + text + "\"}]", "{\"code\":\"server_error\",\"message\":\"Key " + Canary.UpstreamKey + " is bad.\"}");
        Upstream.Next(Replies.Json(200, json));
        await StartAsync();
        RawResponse answer = await AskAsync(stream: false);
        Assert.That((answer.Status, answer.End), Is.EqualTo((200, BodyEnd.Whole)));
        Assert.That(answer.Text, Is.EqualTo(json.Replace(Canary.UpstreamKey, Clean, StringComparison.Ordinal)));
    }

    [Test]
    [Category("S10")]
    public async Task S10_the_models_name_is_put_back_beside_it_also_where_the_data_has_several_lines()
    {
        Setup.Mini.ResponseModel = ResponseModelName.Asked;
        const string Failed =
            "event: response.failed\r\ndata: {\"type\":\"response.failed\",\"sequence_number\":3,\r\ndata:\"response\":{\"error\":{\"message\":\r\ndata:  \"" + Canary.UpstreamKey
            + "\"\r\ndata: },\"model\":\r\ndata: \"upstream-mini\" }}\r\n\r\n";
        Upstream.Next(Replies.StreamOf(s_begun + Failed));
        await StartAsync();
        RawResponse response = await AskAsync(stream: true);
        Assert.That(response.End, Is.EqualTo(BodyEnd.Whole));
        Assert.That(response.Text, Does.EndWith(
            "event: response.failed\r\ndata: {\"type\":\"response.failed\",\"sequence_number\":3,\r\ndata:\"response\":{\"error\":{\"message\":\"" + Clean
            + "\"},\"model\":\r\ndata: \"gpt-4o-mini\" }}\r\n\r\n"));
    }

    [TestCase("{\"code\":\"server_error\",\"message\":\"\\ud800 " + Canary.UpstreamKey + "\"}")]
    [TestCase("{\"\\ud800\":\"" + Canary.UpstreamKey + "\"}")]
    [TestCase("\"" + Canary.UpstreamKey + "\"")]
    [TestCase("[\"" + Canary.UpstreamKey + "\"]")]
    [Category("S10")]
    public async Task S10_an_error_that_is_no_text_or_no_object_hides_nothing(string error)
    {
        Upstream.Next(Replies.StreamOf(s_begun + ResponseEvents.Of("response.failed", 3, "\"response\":" + ResponseEvents.Response("failed", error: error))));
        Upstream.Next(Replies.Json(200, ResponseEvents.Response("failed", error: error)));
        await StartAsync();
        RawResponse stream = await AskAsync(stream: true);
        Assert.That(stream.End, Is.EqualTo(BodyEnd.Whole));
        Assert.That(stream.Text, Does.Not.Contain(Canary.UpstreamKey).And.Contain("event: response.failed\n"));
        RawResponse json = await AskAsync(stream: false);
        Assert.That((string?)json.Json["status"], Is.EqualTo("failed"));
        Assert.That(json.Text, Does.Not.Contain(Canary.UpstreamKey));
        await Deadline.Until(() => Proxy.Records.Count == 2);
        Assert.That(Proxy.Records.Select(r => r.End), Is.All.EqualTo("upstream_error"));
    }

    [Test]
    public async Task A_refusal_of_our_credentials_before_any_output_is_the_operators_and_no_answer()
    {
        Upstream.Next(Replies.StreamOf(ResponseEvents.Begun + ResponseEvents.Failed(2, "invalid_api_key", "Incorrect API key provided: " + Canary.UpstreamKey)));
        await StartAsync();
        Contract.AssertError(await AskAsync(stream: true), 502, "upstream_auth_error");
    }

    [TestCase(",\"metadata\":{\"\\ud800\":\"x\",\"b\":[{\"\\udc00\":1}]}")]
    [TestCase(",\"metadata\":{\"a\":\"\\ud800\"}")]
    [TestCase(",\"\\ud800\":{\"a\":1}")]
    [TestCase(",\"\\ud800abcdef\":1")]
    public async Task Half_a_character_in_what_a_response_repeats_does_not_keep_its_failure_from_being_told(string more)
    {
        string begun = ResponseEvents.Of("response.created", 0, "\"response\":" + ResponseEvents.Response("in_progress", more: more)) + ResponseEvents.Delta("Hi", 1);
        Upstream.Next(Replies.StreamOf(begun));
        await StartAsync();
        RawResponse response = await AskAsync(stream: true);
        Assert.That(response.End, Is.EqualTo(BodyEnd.Unterminated));
        Assert.That(response.Text, Does.StartWith(begun + "event: response.failed\ndata: ").And.EndWith("}\n\n"));
        string failed = Sse.Data(response.Text)[^1];
        Assert.That(failed, Does.Contain(more).And.Contain("\"status\":\"failed\"").And.Contain("upstream_truncated").And.Contain("\"sequence_number\":2"));
        Assert.That(failed.Split("\"status\":"), Has.Length.EqualTo(2), "one status");
        Assert.That(() => System.Text.Json.JsonDocument.Parse(failed), Throws.Nothing);
        Assert.That((await RecordAsync()).End, Is.EqualTo("upstream_truncated"));
    }

    [TestCase(",\"\\ud800abcdef\":1")]
    [TestCase(",\"metadata\":{\"\\ud800\":\"x\"}")]
    public async Task Half_a_character_in_a_name_does_not_keep_an_end_from_being_one(string more)
    {
        string stream = s_begun + ResponseEvents.Of("response.completed", 3, "\"response\":" + ResponseEvents.Response("completed", more: more));
        string json = Chat.Completion("Hi")[..^1] + more + "}";
        string chunk = Chat.Finish()[..^1] + more + "}";
        Upstream.Next(Replies.StreamOf(stream));
        Upstream.Next(Replies.Json(200, json));
        Upstream.Next(Replies.StreamOf(Sse.Event(Chat.Delta("Hi")) + Sse.Event(chunk)));
        await StartAsync();
        Contract.AssertWhole(await AskAsync(stream: true), stream);
        RawResponse answer = await PostAsync(Chat.Request());
        Assert.That((answer.Status, answer.Text), Is.EqualTo((200, json)));
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), Sse.Whole(Chat.Delta("Hi"), chunk));
    }

    private Task<RawResponse> AskAsync(bool stream) => PostAsync(ResponseEvents.Request(stream), ResponseEvents.Path);
}
