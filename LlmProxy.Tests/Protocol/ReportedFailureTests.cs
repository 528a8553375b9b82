using System.Text;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>What an error inside a good status says of the upstream, and of who is to be asked next.</summary>
internal sealed class ReportedFailureTests
{
    // Of FailureCause, which tests that NUnit sees cannot name.
    [TestCase("""{"error":{"type":"overloaded_error","message":"x"}}""", 529, "Failed")]
    [TestCase("""{"error":{"type":"api_error","message":"x"}}""", 502, "Failed")]
    [TestCase("""{"error":{"type":"rate_limit_error","message":"x"}}""", 429, "RateLimited")]
    [TestCase("""{"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"x"}}""", 429, "QuotaGone")]
    [TestCase("""{"error":{"type":"authentication_error","message":"x"}}""", 502, "KeyRefused")]
    [TestCase("""{"error":{"type":"permission_error","message":"x"}}""", 502, "ModelForbidden")]
    [TestCase("""{"error":{"type":"not_found_error","message":"x"}}""", 502, "ModelUnknown")]
    [TestCase("""{"error":{"type":"invalid_request_error","message":"prompt is too long: 2 > 1 maximum"}}""", 400, "TooLong")]
    [TestCase("""{"error":{"type":"invalid_request_error","message":"x"}}""", 400, "None")]
    [TestCase("nonsense", 502, "Failed")]
    public void In_a_dialect_that_has_statuses_it_has_its_own(string json, int status, string cause)
    {
        var error = ReportedFailure.ToError(Encoding.UTF8.GetBytes(json), 529, new Redactor());
        Assert.That((error.Status, error.Cause.ToString()), Is.EqualTo((status, cause)));
    }

    [TestCase("""{"error":{"message":"x"}}""", "Failed")]
    [TestCase("""{"error":{"message":"x","code":429}}""", "RateLimited")]
    [TestCase("""{"error":{"message":"x","code":503}}""", "Failed")]
    [TestCase("""{"error":{"message":"x","type":"BadRequestError","code":400}}""", "Refused")]
    [TestCase("""{"error":{"message":"This model's maximum context length is 1","type":"BadRequestError","code":400}}""", "TooLong")]
    [TestCase("""{"error":{"message":"x","code":"insufficient_quota"}}""", "QuotaGone")]
    [TestCase("""{"error":{"message":"x","code":"invalid_api_key"}}""", "KeyRefused")]
    [TestCase("""{"error":"x"}""", "Failed")]
    public void In_a_good_status_it_is_a_502_that_says_what_it_says(string json, string cause)
    {
        var error = ReportedFailure.InGoodStatus(Encoding.UTF8.GetBytes(json), new Redactor());
        Assert.That((error.Status, error.Code, error.Cause.ToString()), Is.EqualTo((502, "upstream_error", cause)));
    }

    [TestCase("context_length_exceeded", true)]
    [TestCase("This model's Maximum Context Length is 8192 tokens.", true)]
    [TestCase("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", true)]
    [TestCase("The input (9000 tokens) is longer than the model's context length (8192 tokens).", true)]
    [TestCase("max_tokens must be at least 1", false)]
    [TestCase("Your message is too rude.", false)]
    [TestCase("", false)]
    public void Too_long_is_told_by_many_in_their_own_words(string message, bool isExceeded) =>
        Assert.That(PromptLength.IsExceeded(Encoding.UTF8.GetBytes(message)), Is.EqualTo(isExceeded));
}
