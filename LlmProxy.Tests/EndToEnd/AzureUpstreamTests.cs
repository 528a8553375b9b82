using System.Text.Json.Nodes;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Upstreams of the kind AzureOpenAI, with what is peculiar to them.</summary>
public sealed class AzureUpstreamTests : ProxyFixture
{
    private const string Dated = "2024-10-21";
    private const string Offsets = "\"content_filter_offsets\":{\"check_offset\":44,\"start_offset\":44,\"end_offset\":198}";

    [SetUp]
    public void UseAzure()
    {
        Setup.Main.Kind = UpstreamKind.AzureOpenAI;
        Setup.Main.Url = new Uri($"http://{Upstream.EndPoint}");
    }

    [TestCase(null, "/openai/v1/chat/completions")]
    [TestCase("preview", "/openai/v1/chat/completions?api-version=preview")]
    [TestCase(Dated, "/openai/deployments/upstream-mini/chat/completions?api-version=2024-10-21")]
    public async Task Its_key_its_path_and_its_version_are_its_own(string? version, string target)
    {
        Setup.Main.ApiVersion = version;
        Upstream.Otherwise(Replies.Json(200, Chat.Completion("Hello")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(), "/v1/chat/completions?api-version=1999-01-01&x=y", "x-ms-client-request-id: 7");
        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Upstream.Request.Target, Is.EqualTo(target));
            Assert.That((Upstream.Request.Headers["api-key"], Upstream.Request.Headers["Authorization"]), Is.EqualTo((Canary.UpstreamKey, null as string)));
            Assert.That((string?)Upstream.Request.Json["model"], Is.EqualTo("upstream-mini"));
        }
    }

    [Test]
    public async Task Of_a_key_and_a_header_of_its_name_the_key_goes_up_alone()
    {
        Setup.Main.Headers["Api-Key"] = "configured-as-a-header";
        await StartAsync();
        await PostAsync(Chat.Request());
        Assert.That(Upstream.Request.Headers.All("api-key"), Is.EqualTo(new[] { Canary.UpstreamKey }));
    }

    [TestCase("../../admin")]
    [TestCase("..")]
    [TestCase("a/b")]
    [TestCase("a%2f..%2fb")]
    [TestCase("a?api-version=x")]
    [TestCase("a#b")]
    [Category("S15")]
    public async Task S15_a_name_that_can_be_no_deployment_is_unknown_here_and_asked_for_nowhere(string star)
    {
        Setup.Main.ApiVersion = Dated;
        Setup.Options.Models["az-*"] = ProxySetup.Model("main", "*");
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(model: "az-" + star)), 404, "model_not_found", "model");
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task A_name_from_a_pattern_becomes_the_deployment()
    {
        Setup.Main.ApiVersion = Dated;
        Setup.Options.Models["az-*"] = ProxySetup.Model("main", "prod_*");
        Upstream.Otherwise(Replies.Json(200, Chat.Completion("Hello")));
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request(model: "az-gpt-4.1"))).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Target, Is.EqualTo("/openai/deployments/prod_gpt-4.1/chat/completions?api-version=2024-10-21"));
    }

    [Test]
    public async Task Filter_results_before_the_first_word_and_behind_the_last_pass_byte_for_byte()
    {
        string stream = Sse.Whole(
        [
            "{\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":{\"hate\":{\"filtered\":false,\"severity\":\"safe\"}}}]}",
            .. Chat.Words("Hello", " there"),
            $"{{\"choices\":[{{{Offsets},\"content_filter_results\":{{\"hate\":{{\"filtered\":false,\"severity\":\"safe\"}}}},\"finish_reason\":null,\"index\":0}}],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\"}}",
            Chat.Usage(),
        ]);
        Upstream.Next(Replies.StreamOf(stream));
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), stream);
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.InputTokens, record.OutputTokens), Is.EqualTo(("ok", (long?)9, (long?)12)));
    }

    [Test]
    public async Task Filter_results_alone_are_no_output_a_stream_that_dies_behind_them_is_a_502()
    {
        Upstream.Next(Replies.StreamThen(
            ["{\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":{}}]}"],
            exchange => { exchange.Close(); return Task.CompletedTask; }));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(stream: true)), 502, "upstream_truncated");
    }

    [Test]
    public async Task An_answer_that_the_filter_cut_short_is_whole_all_the_same()
    {
        string stream = Sse.Whole(Chat.Role(), Chat.Delta("He"), Chat.Finish("content_filter"));
        Upstream.Next(Replies.StreamOf(stream));
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), stream);
    }

    [Test]
    public async Task A_prompt_that_the_filter_refuses_is_told_in_Azures_own_words()
    {
        const string body = "{\"error\":{\"message\":\"The response was filtered.\",\"type\":null,\"param\":\"prompt\",\"code\":\"content_filter\",\"status\":400,"
            + "\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\",\"content_filter_result\":{\"violence\":{\"filtered\":true,\"severity\":\"medium\"}}}}}";
        Upstream.Next(Replies.Json(400, body));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Assert.That((response.Status, response.Text), Is.EqualTo((400, body)));
    }

    [TestCase(404, "{\"error\":{\"code\":\"DeploymentNotFound\",\"message\":\"The API deployment for this resource does not exist.\"}}", 502, "upstream_model_error")]
    [TestCase(404, "{\"error\":{\"code\":\"404\",\"message\":\"Resource not found\"}}", 502, "upstream_model_error")]
    [TestCase(401, "{\"error\":{\"code\":\"401\",\"message\":\"Access denied due to invalid subscription key or wrong API endpoint.\"}}", 502, "upstream_auth_error")]
    [TestCase(401, "{\"statusCode\":401,\"message\":\"Access denied.\"}", 502, "upstream_auth_error")]
    [TestCase(429, "{\"error\":{\"code\":\"429\",\"message\":\"Requests have exceeded the token rate limit. Please retry after 6 seconds.\"}}", 429, "rate_limit_exceeded")]
    [TestCase(424, "{\"error\":{\"code\":\"424\",\"message\":\"Failed dependency\"}}", 502, "upstream_error")]
    public async Task Its_errors_mean_what_those_of_others_mean(int status, string body, int expected, string code)
    {
        Upstream.Next(Replies.Json(status, body, ("retry-after-ms", "6100"), ("Retry-After", "7"), ("apim-request-id", "apim-1")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Contract.AssertError(response, expected, code);
        Assert.That(status != 429 || response.Headers["retry-after-ms"] == "6100", "the more exact of the two");
    }

    [Test]
    public async Task A_deployment_that_does_not_exist_is_no_response_that_does_not()
    {
        Upstream.Next(Replies.Json(404, "{\"error\":{\"code\":\"DeploymentNotFound\",\"message\":\"The API deployment for this resource does not exist.\"}}"));
        await StartAsync();
        RawResponse response = await PostAsync(ResponseEvents.Request(model: "gpt-4o-mini", more: ",\"previous_response_id\":\"resp_1\""), ResponseEvents.Path);
        Contract.AssertError(response, 502, "upstream_model_error");
    }

    [TestCase("x-request-id: a\r\napim-request-id: b", "a")]
    [TestCase("apim-request-id: b\r\nx-request-id: a", "a")]
    [TestCase("apim-request-id: b\r\nx-ms-region: Sweden Central", "b")]
    public async Task Its_request_id_and_limits_come_down_and_nothing_else_of_its_own(string fields, string id)
    {
        (string, string)[] headers = [.. fields.Split("\r\n").Select(f => (f.Split(": ")[0], f.Split(": ")[1])), ("x-ratelimit-remaining-tokens", "239"), ("x-ms-deployment-name", "secret-deployment")];
        Upstream.Next(Replies.Json(200, Chat.Completion("Hello"), headers));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Headers["x-upstream-request-id"], Is.EqualTo(id));
            Assert.That(response.Headers["x-ratelimit-remaining-tokens"], Is.EqualTo("239"));
            Assert.That((response.Headers["x-ms-region"], response.Headers["x-ms-deployment-name"], response.Headers["apim-request-id"]), Is.EqualTo((null as string, null as string, null as string)));
        }
    }

    [Test]
    public async Task Nothing_of_one_upstreams_way_of_asking_is_in_anothers()
    {
        Setup.Main.ApiVersion = Dated;
        ScriptedUpstream plain = NewUpstream();
        Setup.Options.Upstreams["plain"] = ProxySetup.Upstream(plain.Url);
        Setup.Options.Models["plain"] = ProxySetup.Model("plain", "plain-model");
        await StartAsync();
        await PostAsync(Chat.Request());
        await PostAsync(Chat.Request(model: "plain"));
        JsonObject body = plain.Request.Json;
        Assert.That((plain.Request.Target, plain.Request.Headers["api-key"], (string?)body["model"]), Is.EqualTo(("/v1/chat/completions", null as string, "plain-model")));
    }
}
