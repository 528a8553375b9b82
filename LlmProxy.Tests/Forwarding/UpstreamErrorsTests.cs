using System.Net;
using System.Text;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

internal sealed class UpstreamErrorsTests
{
    private const string Json = """{"error":{"message":"no luck","type":"x","code":"y"}}""";

    private static readonly DateTimeOffset Now = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    private static readonly ForwardRequest _request = Asked.For("/chat/completions");

    [TestCase("Retry-After", "2", 2_000)]
    [TestCase("Retry-After", "0", 1)]
    [TestCase("Retry-After", "1.5", 1_500)]
    [TestCase("Retry-After", " 7 ", 7_000)]
    [TestCase("Retry-After", "3600", 60_000)]
    [TestCase("Retry-After", "1e300", 60_000)]
    [TestCase("Retry-After", "-5", 1_000)]
    [TestCase("Retry-After", "NaN", 1_000)]
    [TestCase("Retry-After", "Infinity", 60_000)]
    [TestCase("Retry-After", "soon", 1_000)]
    [TestCase("Retry-After", "", 1_000)]
    [TestCase("Retry-After", "2, 3", 1_000)]
    [TestCase("Retry-After", "Sun, 22 Nov 2026 12:00:30 GMT", 30_000)]
    [TestCase("Retry-After", "Sun, 22 Nov 2026 11:59:00 GMT", 1)]
    [TestCase("Retry-After", "Mon, 23 Nov 2026 12:00:00 GMT", 60_000)]
    [TestCase("Retry-After", "12", 12_000)]
    [TestCase("retry-after-ms", "250", 250)]
    [TestCase("retry-after-ms", "250.7", 250)]
    [TestCase("retry-after-ms", "0", 1)]
    [TestCase("retry-after-ms", "-1", 1_000)]
    [TestCase("retry-after-ms", "x", 1_000)]
    [TestCase("retry-after-ms", "99999999999", 60_000)]
    [TestCase("X-Other", "9", 1_000)]
    public void The_wait_is_the_upstreams_within_a_minute(string name, string value, int expected)
    {
        foreach (var status in new[] { 408, 429, 500, 503, 504, 529 })
        {
            using var response = Response(status, ("Date", "Sun, 22 Nov 2026 12:00:00 GMT"), (name, value));
            Assert.That(UpstreamErrors.Translate(response, default, new Redactor(), _request, Now).RetryAfterMs, Is.EqualTo(expected), $"{status}");
        }
    }

    [Test]
    public void Milliseconds_are_more_exact_than_seconds_and_a_date_is_taken_by_the_upstreams_clock_or_else_by_ours()
    {
        using var both = Response(429, ("Retry-After", "2"), ("retry-after-ms", "1300"));
        using var alone = Response(429, ("Retry-After", "Sun, 22 Nov 2026 12:00:30 GMT"));
        Assert.That(UpstreamErrors.Translate(both, default, new Redactor(), _request, Now).RetryAfterMs, Is.EqualTo(1_300));
        Assert.That(UpstreamErrors.Translate(alone, default, new Redactor(), _request, Now).RetryAfterMs, Is.EqualTo(30_000));
    }

    [TestCase(400, 400, "upstream_error", true, "no luck")]
    [TestCase(409, 409, "upstream_error", true, "no luck")]
    [TestCase(413, 413, "upstream_error", true, "no luck")]
    [TestCase(422, 422, "upstream_error", true, "no luck")]
    [TestCase(401, 502, "upstream_auth_error", false, null)]
    [TestCase(403, 502, "upstream_auth_error", false, null)]
    [TestCase(404, 502, "upstream_model_error", false, null)]
    [TestCase(405, 502, "upstream_error", false, "no luck")]
    [TestCase(408, 504, "upstream_error", false, "no luck")]
    [TestCase(418, 502, "upstream_error", false, "no luck")]
    [TestCase(429, 429, "rate_limit_exceeded", false, "no luck")]
    [TestCase(500, 502, "upstream_error", false, "no luck")]
    [TestCase(503, 503, "upstream_error", false, "no luck")]
    [TestCase(504, 504, "upstream_error", false, "no luck")]
    [TestCase(529, 503, "upstream_error", false, "no luck")]
    [TestCase(599, 502, "upstream_error", false, "no luck")]
    public void A_status_becomes_what_a_client_can_act_on(int status, int expected, string code, bool passes, string? message)
    {
        using var response = Response(status);
        var error = UpstreamErrors.Translate(response, Encoding.UTF8.GetBytes(Json), new Redactor(), _request, Now);
        Assert.That((error.Status, error.Code, error.Body is not null), Is.EqualTo((expected, code, passes)));
        Assert.That(error.Message, message is null ? Does.Not.Contain("no luck") : Is.EqualTo(message));
        Assert.That(error.Blame, Is.EqualTo(passes ? Blame.Client : Blame.Upstream));
    }

    [TestCase("<html>nginx</html>")]
    [TestCase("")]
    [TestCase("""{"detail":"x"}""")]
    public void A_body_that_is_no_error_object_does_not_pass(string body)
    {
        using var response = Response(400);
        var error = UpstreamErrors.Translate(response, Encoding.UTF8.GetBytes(body), new Redactor(), _request, Now);
        Assert.That((error.Status, error.Body), Is.EqualTo((400, (byte[]?)null)));
        Assert.That(error.Message, Does.Not.Contain("nginx"));
    }

    [Test]
    public void Overload_keeps_its_own_status_where_clients_know_it()
    {
        using var response = Response(529);
        Assert.That(UpstreamErrors.Translate(response, default, new Redactor(), Asked.For("/messages"), Now).Status, Is.EqualTo(529));
    }

    [Test]
    public void What_is_not_found_by_its_id_says_nothing_about_the_model()
    {
        using var response = Response(404);
        var error = UpstreamErrors.Translate(response, Encoding.UTF8.GetBytes(Json), new Redactor(), Asked.For("/responses/{id}", id: "resp_1"), Now);
        Assert.That((error.Status, error.Body is not null), Is.EqualTo((404, true)));
    }

    private static HttpResponseMessage Response(int status, params (string Name, string Value)[] headers)
    {
        var response = new HttpResponseMessage((HttpStatusCode)status);
        foreach (var (name, value) in headers)
        {
            response.Headers.TryAddWithoutValidation(name, value);
        }

        return response;
    }
}
