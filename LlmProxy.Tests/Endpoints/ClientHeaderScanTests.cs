using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Forwarding;
using Microsoft.AspNetCore.Http;
using NUnit.Framework;

namespace LlmProxy.Tests.Endpoints;

internal sealed class ClientHeaderScanTests
{
    // Nobody searches for a header that the scan has not seen: one that is overlooked here is lost.
    [TestCase("X-Request-Id", ClientHeaders.RequestId)]
    [TestCase("x-stainless-retry-count", ClientHeaders.RetryCount)]
    [TestCase("X-Stainless-Timeout", ClientHeaders.Timeout)]
    [TestCase("x-llmproxy-via", ClientHeaders.Via)]
    [TestCase("X-LlmProxy-Explain", ClientHeaders.Explain)]
    [TestCase("api-key", ClientHeaders.PlainKey)]
    [TestCase("X-Api-Key", ClientHeaders.PlainKey)]
    [TestCase("x-goog-api-key", ClientHeaders.PlainKey)]
    [TestCase("x-llmproxy-key", ClientHeaders.PlainKey)]
    public void A_header_that_is_asked_for_later_is_seen(string name, ClientHeaders expected) =>
        Assert.That(Of(name) & expected, Is.EqualTo(expected));

    [TestCase("Accept")]
    [TestCase("User-Agent")]
    [TestCase("Idempotency-Key")]
    [TestCase("OpenAI-Beta")]
    [TestCase("openai-abc-key")]
    [TestCase("anthropic-version")]
    [TestCase("x-stainless-os")]
    [TestCase("x-stainless-timeout")]
    [TestCase("x-stainless-retry-count")]
    [TestCase("x-stainless-ab")]
    public void A_header_that_goes_upstream_is_seen_to(string name)
    {
        Assert.That(ForwardedHeaders.GoesUp(name));
        Assert.That(Of(name) & ClientHeaders.Passing, Is.EqualTo(ClientHeaders.Passing));
    }

    [Test]
    public void What_every_request_has_leaves_nothing_to_pass_on() =>
        Assert.That(Of("Host", "Connection", "Content-Type", "Content-Length", "Authorization", "Accept-Encoding"), Is.EqualTo(ClientHeaders.None));

    private static ClientHeaders Of(params string[] names)
    {
        var headers = new HeaderDictionary();
        foreach (var name in names)
        {
            headers[name] = "1";
        }

        return ClientHeaderScan.Of(headers);
    }
}
