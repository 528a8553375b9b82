using LlmProxy.Core.Forwarding;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

[Category("U30")]
internal sealed class RateLimitHeadersTests
{
    // 1795348800 seconds since 1970.
    private static readonly DateTimeOffset _now = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    [TestCase("Retry-After: 2", 2_000, true)]
    [TestCase("Retry-After: Sun, 22 Nov 2026 12:00:30 GMT", 30_000, true)]
    [TestCase("retry-after-ms: 1500", 1_500, true)]
    [TestCase("retry-after-ms: 700 | Retry-After: 1", 700, true)]
    [TestCase("Retry-After: 3 | x-ratelimit-reset-requests: 50s", 3_000, true)]
    [TestCase("x-ratelimit-reset-requests: 6m0s", 60_000, false)]
    [TestCase("x-ratelimit-reset-requests: 1s", 1_000, false)]
    [TestCase("x-ratelimit-reset-requests: 20ms", 20, false)]
    [TestCase("x-ratelimit-reset-requests: 1m2.5s", 60_000, false)]
    [TestCase("x-ratelimit-reset-requests: 11.1", 11_100, false)]
    [TestCase("x-ratelimit-reset-tokens: 7", 7_000, false)]
    [TestCase("x-ratelimit-reset: 1795348845", 45_000, false)]
    [TestCase("x-ratelimit-reset: 1795348845500", 45_500, false)]
    [TestCase("x-ratelimit-reset: 1795348000", 1, false)]
    [TestCase("anthropic-ratelimit-requests-reset: 2026-11-22T12:00:09Z", 9_000, false)]
    [TestCase("anthropic-ratelimit-input-tokens-reset: 2026-11-22T12:00:12Z | anthropic-ratelimit-requests-reset: 2026-11-22T12:00:09Z", 12_000, false)]
    [TestCase("x-ratelimit-reset-requests: 30s | x-ratelimit-remaining-requests: 5 | x-ratelimit-reset-tokens: 4s | x-ratelimit-remaining-tokens: 0", 4_000, false)]
    [TestCase("x-ratelimit-reset-requests: soon", null, false)]
    [TestCase("x-ratelimit-reset-requests: 5parsecs", null, false)]
    [TestCase("x-ratelimit-reset-requests: -1", null, false)]
    [TestCase("x-ratelimit-reset-requests: ", null, false)]
    [TestCase("X-Other: 1", null, false)]
    public void U30_however_the_wait_is_said_it_is_understood(string fields, int? milliseconds, bool isAsked)
    {
        using var response = Response(fields);
        Assert.That(RateLimitHeaders.WaitMs(response, isRefused: true, _now, out var asked), Is.EqualTo(milliseconds));
        Assert.That(asked, Is.EqualTo(isAsked));
    }

    [Test]
    public void What_is_left_of_a_limit_is_no_reason_to_wait_where_none_was_hit()
    {
        using var response = Response("x-ratelimit-reset-requests: 30s | x-ratelimit-remaining-requests: 0");
        Assert.That(RateLimitHeaders.WaitMs(response, isRefused: false, _now, out _), Is.Null);
    }

    [Test]
    public void Times_of_the_day_are_the_upstreams_where_it_says_what_time_it_is_there()
    {
        using var response = Response("Date: Sun, 22 Nov 2026 11:00:00 GMT | Retry-After: Sun, 22 Nov 2026 11:00:20 GMT");
        Assert.That(RateLimitHeaders.WaitMs(response, isRefused: true, _now, out _), Is.EqualTo(20_000));
    }

    private static HttpResponseMessage Response(string fields)
    {
        var response = new HttpResponseMessage(System.Net.HttpStatusCode.TooManyRequests);
        foreach (var field in fields.Split(" | "))
        {
            var parts = field.Split(": ", 2);
            response.Headers.TryAddWithoutValidation(parts[0], parts.Length > 1 ? parts[1] : "");
        }

        return response;
    }
}
