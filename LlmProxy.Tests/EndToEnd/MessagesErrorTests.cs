using System.Text.Json.Nodes;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Clients of Anthropic's read errors in their own shape, whoever made them.</summary>
public sealed class MessagesErrorTests : ProxyFixture
{
    private const string Ok = "Content-Type: application/json";

    [SetUp]
    public void UseAnthropic() => Setup.Main.Kind = UpstreamKind.Anthropic;

    public static IEnumerable<TestCaseData> Ours()
    {
        string body = MessageEvents.Request();
        yield return Row("no_key", "POST", "/v1/messages", body, 401, "authentication_error", Ok);
        yield return Row("GET", "GET", "/v1/messages", "", 405, "invalid_request_error", Authorization);
        yield return Row("an_unknown_path", "POST", "/v1/messages/batches", body, 404, "not_found_error", Authorization, Ok);
        yield return Row("the_prefix_twice", "POST", "/v1/v1/messages", body, 404, "not_found_error", Authorization, Ok);
        yield return Row("a_version_at_an_unknown_path", "POST", "/v1/complete", body, 404, "not_found_error", Authorization, Ok, MessageEvents.Version);
        yield return Row("plain_text", "POST", "/v1/messages", body, 415, "invalid_request_error", Authorization, "Content-Type: text/plain");
        yield return Row("no_JSON", "POST", "/v1/messages", "{", 400, "invalid_request_error", Authorization, Ok);
        yield return Row("an_unknown_model", "POST", "/v1/messages", MessageEvents.Request(model: "nope"), 404, "not_found_error", Authorization, Ok);
        yield return Row("a_body_too_large", "POST", "/v1/messages", body + new string(' ', 5000), 413, "request_too_large", Authorization, Ok);
        yield return Row("a_model_without_messages", "POST", "/v1/messages", MessageEvents.Request(model: "local-model"), 404, "not_found_error", Authorization, Ok);
        yield return Row("counting_without_a_key", "POST", "/v1/messages/count_tokens", body, 401, "authentication_error", Ok);
        yield return Row("models_without_a_key", "GET", "/v1/models", "", 401, "authentication_error", MessageEvents.Version);

        static TestCaseData Row(string what, string method, string path, string body, int status, string type, params string[] fields) =>
            new TestCaseData(method, path, body, status, type, fields).SetName($"Ours_for_{what}_is_in_Anthropic_s_shape");
    }

    [TestCaseSource(nameof(Ours))]
    public async Task IsInShape(string method, string path, string body, int status, string type, string[] fields)
    {
        Setup.Options.Limits.RequestBody = 4096;
        Setup.Options.Upstreams["local"] = ProxySetup.Upstream(Upstream.Url);
        Setup.Options.Models["local-model"] = ProxySetup.Model("local", "m");
        await StartAsync();
        RawResponse response = await (await SendAsync(RawClient.Request(method, path, System.Text.Encoding.UTF8.GetBytes(body), fields))).ReadAsync();
        AssertError(response, status, type);
        ExpectUpstreamRequests(0);
    }

    [TestCase(400, 400)]
    [TestCase(413, 413)]
    [TestCase(429, 429)]
    [TestCase(500, 502)]
    [TestCase(503, 503)]
    [TestCase(529, 529)]
    public async Task An_upstream_s_error_object_passes_in_its_own_words(int from, int to)
    {
        const string Words = "prompt is too long: 210000 tokens > 200000 maximum";
        Upstream.Otherwise(Replies.Json(from, MessageEvents.ErrorBody("its_own_type", Words), ("request-id", "req_up")));
        await StartAsync();
        foreach (bool stream in (bool[])[false, true])
        {
            RawResponse response = await PostAsync(MessageEvents.Request(stream), MessageEvents.Path);
            Assert.That(AssertError(response, to, "its_own_type"), Is.EqualTo(Words));
            Assert.That(response.Headers["Retry-After"] is not null, Is.EqualTo(to is not 400 and not 413));
        }
    }

    [TestCase(401, "authentication_error")]
    [TestCase(403, "permission_error")]
    [TestCase(404, "not_found_error")]
    public async Task What_is_our_operator_s_fault_is_not_the_caller_s(int status, string type)
    {
        Upstream.Otherwise(Replies.Json(status, MessageEvents.ErrorBody(type, "invalid x-api-key")));
        await StartAsync();
        RawResponse response = await PostAsync(MessageEvents.Request(), MessageEvents.Path);
        Assert.That(AssertError(response, 502, "api_error"), Does.Not.Contain("x-api-key"));
        Assert.That(response.Headers["x-should-retry"], Is.EqualTo("false"));
    }

    [Test]
    public async Task A_secret_in_an_upstream_s_words_is_taken_out_and_the_JSON_stays_whole()
    {
        Upstream.Otherwise(Replies.Json(400, MessageEvents.ErrorBody("invalid_request_error", $"sent \"Bearer {Canary.UpstreamKey}\"\nand \\u0075p")));
        await StartAsync();
        RawResponse response = await PostAsync(MessageEvents.Request(), MessageEvents.Path);
        Assert.That(AssertError(response, 400, "invalid_request_error"), Is.EqualTo("sent \"Bearer [redacted]\"\nand \\u0075p").Or.EqualTo("sent \"[redacted]\"\nand \\u0075p"));
    }

    [Test]
    public async Task A_529_is_a_503_elsewhere()
    {
        Setup.Main.Kind = UpstreamKind.OpenAI;
        Upstream.Otherwise(Replies.Json(529, MessageEvents.ErrorBody("overloaded_error", "Overloaded")));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request()), 503, "upstream_error");
    }

    [Test]
    public async Task The_list_of_models_has_Anthropic_s_shape_for_who_sends_its_version()
    {
        await StartAsync();
        JsonObject list = (await GetAsync("/v1/models?limit=1000", MessageEvents.Version)).Json;
        JsonObject one = (await GetAsync("/v1/models/gpt-4o-mini", MessageEvents.Version)).Json;
        JsonObject[] models = [.. list["data"]!.AsArray().Select(m => m!.AsObject())];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(list.Select(m => m.Key), Is.EqualTo(new[] { "data", "has_more", "first_id", "last_id" }));
            Assert.That(models.Select(m => (string?)m["id"]), Is.EqualTo(new[] { "gpt-4o-mini", "text-embedding-3-small" }));
            Assert.That(((bool?)list["has_more"], (string?)list["first_id"], (string?)list["last_id"]), Is.EqualTo((false, "gpt-4o-mini", "text-embedding-3-small")));
            Assert.That(models[0].Select(m => m.Key), Is.EqualTo(new[] { "type", "id", "display_name", "created_at" }));
            Assert.That(JsonNode.DeepEquals(one, models[0]));
        }

        ExpectUpstreamRequests(0);
    }

    /// <returns>The message.</returns>
    private static string AssertError(RawResponse response, int status, string type)
    {
        Assert.That(response.Status, Is.EqualTo(status), response.Text);
        JsonObject error = response.Json["error"]!.AsObject();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Headers["Content-Type"], Does.StartWith("application/json"));
            Assert.That(response.Headers["Cache-Control"], Is.EqualTo("no-store"));
            Assert.That(response.Json.Select(m => m.Key), Is.EqualTo(new[] { "type", "error", "request_id" }), response.Text);
            Assert.That((string?)response.Json["type"], Is.EqualTo("error"));
            Assert.That((string?)error["type"], Is.EqualTo(type));
            Assert.That((string?)response.Json["request_id"], Is.EqualTo(response.Headers["x-request-id"]).And.EqualTo(response.Headers["request-id"]));
        }

        return (string)error["message"]!;
    }
}
