using System.Globalization;
using System.Text.Json.Nodes;
using LlmProxy.Tests.Support;
using NUnit.Framework;
using WireMock.ResponseBuilders;
using WireMock.Server;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Contracts of upstream errors: what the upstream answers, and what the caller makes of it.</summary>
public sealed class UpstreamErrorTests : ProxyFixture
{
    private WireMockServer _mock = null!;

    [SetUp]
    public void StartMock()
    {
        _mock = Own(WireMockServer.Start());
        Setup.Main.Url = new Uri(_mock.Url! + "/v1");
    }

    [TestCase(400)]
    [TestCase(409)]
    [TestCase(413)]
    [TestCase(422)]
    [Category("U29")]
    public async Task U29_what_the_caller_did_wrong_passes_with_status_and_body(int status)
    {
        string body = Chat.Error("max_tokens is too large: 999999.", "invalid_request_error", "context_length_exceeded");
        RawResponse response = await AskAsync(status, body);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Status, Is.EqualTo(status));
            Assert.That(JsonNode.DeepEquals(JsonNode.Parse(response.Text), JsonNode.Parse(body)), response.Text);
            Assert.That(response.Headers["Content-Type"], Does.StartWith("application/json"));
        }
    }

    [Test]
    [Category("S10")]
    public async Task S10_secrets_in_configured_headers_come_redacted_too()
    {
        Setup.Main.Headers["X-Tenant-Key"] = "tenant-secret-0001";
        Setup.Mini.Headers["X-Model-Key"] = "model-secret-0002";
        RawResponse response = await AskAsync(400, Chat.Error("Not for tenant-secret-0001 with MODEL-secret-0002.", "invalid_request_error"));
        Assert.That(response.Text, Does.Contain("Not for [redacted] with [redacted]."));
    }

    [Test]
    [Category("U29")]
    public async Task U29_a_400_that_quotes_our_upstream_key_comes_redacted()
    {
        RawResponse response = await AskAsync(400, Chat.Error($"Bad request from {Canary.UpstreamKey}, sorry.", "invalid_request_error"));
        Assert.That(response.Status, Is.EqualTo(400));
        Assert.That(response.Text, Does.Contain("Bad request from [redacted], sorry."));
    }

    [TestCase(401)]
    [TestCase(403)]
    [Category("U29")]
    public async Task U29_our_credentials_being_refused_is_not_the_caller_s_fault(int status)
    {
        RawResponse response = await AskAsync(status, Chat.Error($"Incorrect API key provided: {Canary.UpstreamKey}.", "invalid_request_error", "invalid_api_key"));
        Contract.AssertError(response, 502, "upstream_auth_error");
        Assert.That(response.Headers["x-should-retry"], Is.EqualTo("false"));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Status), Is.EqualTo(("upstream_auth_error", "upstream", 502)));
    }

    [Test]
    [Category("U29")]
    public async Task U29_a_model_that_the_upstream_does_not_know_is_our_fault()
    {
        RawResponse response = await AskAsync(404, Chat.Error("The model does not exist.", "invalid_request_error", "model_not_found"));
        Contract.AssertError(response, 502, "upstream_model_error");
    }

    [TestCase("Retry-After", "2", 2, 2000)]
    [TestCase("retry-after-ms", "1500", 2, 1500)]
    [TestCase("Retry-After", "3600", 60, 60_000)]
    public async Task A_429_keeps_its_status_and_says_when_to_come_back(string header, string value, int seconds, int milliseconds)
    {
        RawResponse response = await AskAsync(429, Chat.Error("Rate limit reached.", "requests", "rate_limit_exceeded"), (header, value));
        JsonObject error = Contract.AssertError(response, 429, "rate_limit_exceeded");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Headers["Retry-After"], Is.EqualTo(seconds.ToString(CultureInfo.InvariantCulture)));
            Assert.That(response.Headers["retry-after-ms"], Is.EqualTo(milliseconds.ToString(CultureInfo.InvariantCulture)));
            Assert.That(error["message"]?.ToString(), Does.Contain("Rate limit reached."));
        }
    }

    [Test]
    public async Task A_429_without_a_wait_gets_one_from_us() =>
        Contract.AssertError(await AskAsync(429, Chat.Error("Slow down.")), 429, "rate_limit_exceeded");

    [TestCase(500)]
    [TestCase(502)]
    [TestCase(503)]
    [TestCase(504)]
    [TestCase(529)]
    public async Task A_failure_of_the_upstream_is_5xx_with_its_own_words(int status)
    {
        RawResponse response = await AskAsync(status, Chat.Error("The engine is overloaded."));
        Assert.That(response.Status, Is.AnyOf(502, 503, 504));
        JsonObject error = Contract.AssertError(response, response.Status, code: null);
        Assert.That(error["message"]?.ToString(), Does.Contain("The engine is overloaded."));
        Assert.That((await RecordAsync()).Blame, Is.EqualTo("upstream"));
    }

    [Test]
    public async Task U33_an_HTML_page_with_502_is_dropped()
    {
        RawResponse response = await AskAsync(502, "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", ("Content-Type", "text/html"));
        JsonObject error = Contract.AssertError(response, 502, "upstream_error");
        Assert.That(error["message"]?.ToString(), Does.Not.Contain("<").And.Not.Contain("nginx"));
    }

    [Test]
    public async Task The_same_holds_for_a_stream_before_its_first_event()
    {
        RawResponse response = await AskAsync(429, Chat.Error("Rate limit reached."), ("Retry-After", "7"), stream: true);
        Contract.AssertError(response, 429, "rate_limit_exceeded");
        Assert.That(response.Headers["Retry-After"], Is.EqualTo("7"));
    }

    [Test]
    public async Task Control_characters_in_an_upstream_s_message_do_not_reach_the_caller() =>
        Contract.AssertError(await AskAsync(500, Chat.Error("bad\r\nX-Injected: 1\u001b[31m")), 502, code: null);

    [Test]
    public async Task An_upstream_s_endless_message_is_cut() =>
        Contract.AssertError(await AskAsync(500, Chat.Error(new string('x', 50_000))), 502, code: null);

    private Task<RawResponse> AskAsync(int status, string body) => AskAsync(status, body, ("X-Any", "1"));

    private async Task<RawResponse> AskAsync(int status, string body, (string Name, string Value) header, bool stream = false)
    {
        IResponseBuilder answer = Response.Create().WithStatusCode(status).WithHeader("Content-Type", "application/json").WithBody(body);
        _mock.Given(WireMock.RequestBuilders.Request.Create().WithPath("/v1/chat/completions").UsingPost())
            .RespondWith(answer.WithHeader(header.Name, header.Value));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream));
        Assert.That(_mock.LogEntries.Count, Is.EqualTo(1), "I5: the upstream was asked once");
        ExpectUpstreamRequests(0);
        return response;
    }
}
