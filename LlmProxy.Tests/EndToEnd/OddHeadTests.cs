using System.Text;
using System.Text.Json.Nodes;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Heads of answers that would break a writer, a reader or a promise; and secrets in what an upstream says.</summary>
public sealed class OddHeadTests : ProxyFixture
{
    public static IEnumerable<TestCaseData> Heads()
    {
        yield return Head("a_value_that_is_not_ASCII", "x-request-id: Grüße🦓", 200);
        yield return Head("a_value_of_control_characters", "x-request-id: a\u0001b\u007f", null);
        yield return Head("a_NUL_in_a_value", "x-request-id: a\0b", null);
        yield return Head("a_lone_CR_in_a_value", "x-request-id: a\rX-Injected: 1", null);
        yield return Head("a_folded_value", "x-request-id: a\r\n b", null);
        yield return Head("a_name_with_a_blank", "x-request id: a", null);
        yield return Head("a_line_without_a_colon", "x-request-id", null);
        yield return Head("hop_by_hop_fields", "Connection: X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c", 200);
        yield return Head("a_value_of_70_KB", "x-request-id: " + new string('a', 70_000), null);
        yield return Head("a_thousand_fields", string.Join("\r\n", Enumerable.Range(0, 1000).Select(i => $"x-ratelimit-{i}: {i}")), null);
        yield return Head("two_content_types", "Content-Type: text/html", null);
        yield return Head("a_retry_after_that_is_none", "Retry-After: soon", 200);
        yield return Head("a_date_of_another_age", "Date: Thu, 01 Jan 1970 00:00:00 GMT", 200);
    }

    [TestCaseSource(nameof(Heads))]
    public async Task DoesNoHarm(string fields, int? status)
    {
        byte[] json = Encoding.UTF8.GetBytes(Chat.Completion("Hi"));
        Upstream.Next(async exchange =>
        {
            await exchange.SendAsync(Encoding.UTF8.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{fields}\r\nContent-Length: {json.Length}\r\n\r\n"));
            await exchange.SendAsync(json);
            exchange.Close();
        });
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        if (response.Status == 200)
        {
            Assert.That(response.Text, Is.EqualTo(Chat.Completion("Hi")));
            Assert.That(response.Headers.Names(), Has.None.AnyOf("x-injected", "x-secret", "keep-alive", "proxy-authenticate", "upgrade"));
            Assert.That(response.Headers.Fields.Select(f => f.Value), Has.All.Matches<string>(value => value.All(c => c is >= ' ' and <= '~')));
        }
        else
        {
            Contract.AssertError(response, 502, code: null);
        }

        Assert.That(response.Status, Is.EqualTo(status ?? response.Status));
    }

    [TestCase("Retry-After", "2")]
    [TestCase("x-ratelimit-reset-requests", "1s")]
    [Category("U42")]
    public async Task U42_allowed_fields_of_a_stream_come_down_with_it(string name, string value)
    {
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync((name, value), ("X-Accel-Buffering", "yes"), ("Cache-Control", "public, max-age=99"));
            await exchange.EventsAsync([.. Chat.Words("Hi"), "[DONE]"]);
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        Contract.AssertWhole(response, Sse.Whole(Chat.Words("Hi")));
        Assert.That(response.Headers[name], Is.EqualTo(value));
    }

    [TestCase(400, false, TestName = "S10_our_key_in_a_refusal_is_redacted", Category = "S10")]
    [TestCase(422, true, TestName = "S10_our_key_in_a_refusal_of_a_stream_is_redacted", Category = "S10")]
    [TestCase(500, false, TestName = "S10_our_key_in_a_failure_is_redacted", Category = "S10")]
    [TestCase(401, false, TestName = "S10_our_key_in_a_refusal_of_our_key_is_not_told", Category = "S10")]
    [TestCase(429, true, TestName = "S10_our_key_in_a_limit_is_redacted", Category = "S10")]
    [TestCase(200, false, TestName = "S10_our_key_in_an_error_with_a_good_status_is_redacted", Category = "S10")]
    [TestCase(200, true, TestName = "S10_our_key_in_an_error_instead_of_a_stream_is_redacted", Category = "S10")]
    public async Task KeyInBody(int status, bool stream)
    {
        string error = Chat.Error($"Bad key {Canary.UpstreamKey} for {Upstream.Url}", "invalid_request_error");
        Upstream.Otherwise(Replies.Json(status, error, ("x-request-id", "req-" + Canary.UpstreamKey), ("x-ratelimit-remaining-requests", Canary.UpstreamKey)));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream));
        AssertNoKey(response);
        Assert.That(response.Status, Is.GreaterThanOrEqualTo(400));
    }

    [Test]
    [Category("S10")]
    public async Task S10_our_key_written_with_escapes_is_redacted()
    {
        string escaped = string.Concat(Canary.UpstreamKey.Select(c => $"\\u{(int)c:x4}"));
        Upstream.Otherwise(Replies.Json(400, "{\"error\":{\"message\":\"Bad key " + escaped + " at " + Upstream.Url.ToString().Replace("/", "\\/", StringComparison.Ordinal) + "\",\"type\":\"x\",\"param\":null,\"code\":\"x\"}}"));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        AssertNoKey(response);
        string told = JsonNode.Parse(response.Text)!.ToJsonString(new System.Text.Json.JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        Assert.That(told, Does.Not.Contain(Canary.UpstreamKey).And.Not.Contain(Upstream.EndPoint.ToString()));
    }

    [Test]
    [Category("S10")]
    public async Task S10_our_key_in_a_redirect_a_page_or_a_header_is_not_told()
    {
        Upstream.Next(Replies.Empty(302, ("Location", "http://x.example/?key=" + Canary.UpstreamKey)));
        Upstream.Next(exchange => exchange.AnswerAsync(502, "text/html", Encoding.UTF8.GetBytes($"<p>{Canary.UpstreamKey}</p>")));
        Upstream.Next(Replies.Json(200, Chat.Completion("Hi"), ("x-request-id", Canary.UpstreamKey), ("openai-processing-ms", "12")));
        await StartAsync();
        for (int i = 0; i < 3; i++)
        {
            RawResponse response = await PostAsync(Chat.Request());
            AssertNoKey(response);
            Assert.That(response.Status, Is.EqualTo(i < 2 ? 502 : 200));
        }

        ExpectUpstreamRequests(3);
    }

    [TestCase(true, TestName = "S10_our_key_in_an_error_event_is_redacted", Category = "S10")]
    [TestCase(false, TestName = "S10_our_key_in_a_first_error_event_is_redacted", Category = "S10")]
    public async Task KeyInEvent(bool hasBegun)
    {
        string error = Chat.Error($"Bad key {Canary.UpstreamKey}.");
        Upstream.Next(Replies.Stream(hasBegun ? [Chat.Delta("a"), error] : [error]));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        AssertNoKey(response);
        if (hasBegun)
        {
            Assert.That(Contract.AssertBroken(response, code: null)["message"]?.ToString(), Does.Contain("[redacted]"));
        }
        else
        {
            Contract.AssertError(response, 502, "upstream_error");
        }
    }

    private static TestCaseData Head(string what, string fields, int? status) =>
        new TestCaseData(fields, status).SetName($"U42_{what}_does_no_harm").SetCategory("U42");

    private static void AssertNoKey(RawResponse response)
    {
        string all = string.Join('\n', response.Headers.Fields.Select(f => f.Key + ": " + f.Value)) + response.Text;
        Assert.That(all, Does.Not.Contain(Canary.UpstreamKey));
    }
}
