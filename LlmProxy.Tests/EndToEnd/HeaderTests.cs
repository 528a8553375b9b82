using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Header fields cross the proxy by an allow-list, in both directions.</summary>
public sealed class HeaderTests : ProxyFixture
{
    private static readonly string[] s_hostile =
    [
        "Cookie: session=1",
        "Proxy-Authorization: Basic x",
        "Proxy-Connection: keep-alive",
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: https",
        "X-Real-IP: 10.0.0.1",
        "Forwarded: for=10.0.0.1",
        "Via: 1.1 other",
        "X-Custom: 1",
        "X-Secret: 1",
        "Connection: X-Secret, keep-alive",
        "Upgrade: h2c",
        "TE: trailers",
        "Range: bytes=0-1",
        "If-None-Match: \"x\"",
        "Referer: http://intern.example/",
        "Origin: http://intern.example",
        "x-api-key: sk-foreign",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ];

    [Test]
    [Category("S13")]
    public async Task S13_exactly_the_allowed_fields_go_up_each_once_and_ours_for_the_rest()
    {
        await StartAsync();
        string[] good =
        [
            "Accept: application/json", "User-Agent: OpenAI/Python 2.0", "OpenAI-Organization: org-1", "OpenAI-Beta: assistants=v2",
            "anthropic-version: 2023-06-01", "x-stainless-lang: python", "x-stainless-retry-count: 0", "Idempotency-Key: abc",
        ];
        RawResponse response = await PostAsync(Chat.Request(), ChatPath, [.. good, .. s_hostile]);
        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        WireHeaders up = Upstream.Request.Headers;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(
                up.Names().Where(name => name != "accept-encoding"),
                Is.EqualTo(new[]
                {
                    "accept", "anthropic-version", "authorization", "content-length", "content-type", "host", "idempotency-key",
                    "openai-beta", "openai-organization", "user-agent", "x-llmproxy-via", "x-stainless-lang", "x-stainless-retry-count",
                }));
            foreach (string field in good)
            {
                string[] parts = field.Split(": ", 2);
                Assert.That(up[parts[0]], Is.EqualTo(parts[1]), parts[0]);
            }

            Assert.That(up["Host"], Is.EqualTo(Upstream.EndPoint.ToString()));
            Assert.That(up["Authorization"], Is.EqualTo("Bearer " + Canary.UpstreamKey));
            Assert.That(up["Content-Type"], Is.EqualTo("application/json"));
            Assert.That(up["Accept-Encoding"], Is.Null.Or.EqualTo("identity"));
        }
    }

    [Test]
    [Category("S13")]
    public async Task S13_a_client_that_sends_almost_nothing_adds_nothing()
    {
        await StartAsync();
        await PostAsync(Chat.Request());
        Assert.That(
            Upstream.Request.Headers.Names().Where(name => name is not ("accept-encoding" or "user-agent" or "accept")),
            Is.EqualTo(new[] { "authorization", "content-length", "content-type", "host", "x-llmproxy-via" }));
    }

    [Test]
    [Category("C40")]
    public async Task C40_a_value_that_is_not_ASCII_is_not_passed_on_and_does_no_harm()
    {
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(), ChatPath, "User-Agent: Grüße 🦓", "OpenAI-Organization: ö", "OpenAI-Beta: plain");
        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        Assert.That(Upstream.Request.Headers["OpenAI-Organization"], Is.Null);
        Assert.That(Upstream.Request.Headers["OpenAI-Beta"], Is.EqualTo("plain"));
        Assert.That(Upstream.Request.Headers["User-Agent"] ?? "", Does.Not.Contain("Gr"));
    }

    [Test]
    public async Task Only_the_allowed_fields_of_an_answer_come_down()
    {
        Upstream.Next(Replies.Json(
            200,
            Chat.Completion("Hi"),
            ("x-request-id", "req_up"),
            ("openai-version", "2020-10-01"),
            ("x-ratelimit-remaining-requests", "99"),
            ("Server", "uvicorn"),
            ("X-Internal", "1"),
            ("Access-Control-Allow-Origin", "*"),
            ("Strict-Transport-Security", "max-age=1"),
            ("Connection", "X-Internal"),
            ("Alt-Svc", "h3=\":443\"")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        string[] allowed =
        [
            "content-length", "content-type", "date", "openai-version", "server", "transfer-encoding", "x-llmproxy-overhead-ms",
            "x-ratelimit-remaining-requests", "x-request-id", "x-upstream-request-id",
        ];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Headers.Names(), Is.SubsetOf(allowed));
            Assert.That(response.Headers["openai-version"], Is.EqualTo("2020-10-01"));
            Assert.That(response.Headers["x-ratelimit-remaining-requests"], Is.EqualTo("99"));
            Assert.That(response.Headers["x-upstream-request-id"], Is.EqualTo("req_up"));
            Assert.That(response.Headers["Server"], Is.Not.EqualTo("uvicorn"));
        }
    }

    [Test]
    public async Task A_client_s_request_id_is_echoed_beside_ours_only_if_it_is_harmless()
    {
        await StartAsync();
        RawResponse good = await PostAsync(Chat.Request(), ChatPath, "x-request-id: abc-1.2_3");
        RawResponse bad = await PostAsync(Chat.Request(), ChatPath, "x-request-id: <script>");
        RawResponse tooLong = await PostAsync(Chat.Request(), ChatPath, "x-request-id: " + new string('a', 129));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(good.Headers["x-client-request-id"], Is.EqualTo("abc-1.2_3"));
            Assert.That(bad.Headers["x-client-request-id"], Is.Null);
            Assert.That(tooLong.Headers["x-client-request-id"], Is.Null);
            Assert.That(new[] { good, bad, tooLong }.Select(r => r.Headers["x-request-id"]), Is.Unique.And.All.Not.EqualTo("abc-1.2_3"));
        }
    }
}
