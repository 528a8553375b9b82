using LlmProxy.Core.Forwarding;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

internal sealed class ForwardedHeadersTests
{
    [TestCase("Accept", true)]
    [TestCase("USER-AGENT", true)]
    [TestCase("Idempotency-Key", true)]
    [TestCase("OpenAI-Organization", true)]
    [TestCase("openai-beta", true)]
    [TestCase("openai-org", true)]
    [TestCase("openai-a", true)]
    [TestCase("anthropic-version", true)]
    [TestCase("anthropic-beta", true)]
    [TestCase("anthropic-dangerous", true)]
    [TestCase("X-Stainless-Retry-Count", true)]
    [TestCase("openai-a-name-of15", true)]
    [TestCase("openai-fifteen1", true)]
    [TestCase("Authorization", false)]
    [TestCase("x-api-key", false)]
    [TestCase("api-key", false)]
    [TestCase("Cookie", false)]
    [TestCase("Content-Type", false)]
    [TestCase("Content-Length", false)]
    [TestCase("Transfer-Encoding", false)]
    [TestCase("Connection", false)]
    [TestCase("Upgrade", false)]
    [TestCase("Host", false)]
    [TestCase("TE", false)]
    [TestCase("X-Forwarded-For", false)]
    [TestCase("Accept-Encoding", false)]
    [TestCase("Accept-Language", false)]
    [TestCase("traceparent", false)]
    [TestCase("x-llmproxy-key", false)]
    [TestCase("x-llmproxy-via", false)]
    [TestCase("x-request-id", false)]
    [TestCase("openai", false)]
    [TestCase("openaix-a", false)]
    [TestCase("", false)]
    public void Up_goes_what_is_listed_and_nothing_else(string name, bool goes) => Assert.That(ForwardedHeaders.GoesUp(name), Is.EqualTo(goes));

    [TestCase("Retry-After", "Retry-After")]
    [TestCase("openai-processing-ms", "openai-processing-ms")]
    [TestCase("OpenAI-Version", "OpenAI-Version")]
    [TestCase("x-request-id", "x-upstream-request-id")]
    [TestCase("X-RateLimit-Remaining-Tokens", "X-RateLimit-Remaining-Tokens")]
    [TestCase("anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-limit")]
    [TestCase("Set-Cookie", null)]
    [TestCase("Content-Encoding", null)]
    [TestCase("Content-Length", null)]
    [TestCase("Transfer-Encoding", null)]
    [TestCase("Connection", null)]
    [TestCase("Server", null)]
    [TestCase("openai-organization", null)]
    [TestCase("retry-after-ms", null)]
    [TestCase("x-upstream-request-id", null)]
    [TestCase("x-should-retry", null)]
    [TestCase("Access-Control-Allow-Origin", null)]
    [TestCase("WWW-Authenticate", null)]
    public void Down_goes_what_is_listed_under_a_name_that_cannot_be_ours(string name, string? passed) =>
        Assert.That(ForwardedHeaders.GoesDown(name), Is.EqualTo(passed));

    [TestCase("a b\tc~", true)]
    [TestCase("", false)]
    [TestCase(null, false)]
    [TestCase("a\r\nX: y", false)]
    [TestCase("a\nb", false)]
    [TestCase("a\0b", false)]
    [TestCase("a\u007fb", false)]
    [TestCase("é", false)]
    public void A_value_is_visible_ASCII(string? value, bool isSafe) => Assert.That(ForwardedHeaders.IsSafe(value), Is.EqualTo(isSafe));

    [Test]
    public void A_value_is_not_longer_than_4096_characters()
    {
        Assert.That(ForwardedHeaders.IsSafe(new string('a', 4_096)));
        Assert.That(ForwardedHeaders.IsSafe(new string('a', 4_097)), Is.False);
    }
}
