using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>What an upstream says of its failure reaches the client without what the client must not know.</summary>
internal sealed class UpstreamMessageTests
{
    private const string Key = "up-canary-4uZkq81WmXo7";
    private const string Host = "gpu-7.internal.example:8000";

    private static readonly Redactor _redactor = new(Key, "http://" + Host + "/v1", Host);

    [TestCase("""{"error":{"message":"a"}}""", "a")]
    [TestCase("""{"error":"a"}""", "a")]
    [TestCase("""{"message":"a"}""", "a")]
    [TestCase("""{"detail":"a"}""", "a")]
    [TestCase("""{"error":{"error":{"message":"a"}}}""", "a")]
    [TestCase("""{"error":{"code":1},"message":"a"}""", "a")]
    [TestCase("""{"error":{"message":"a\nb\u001b[31m\u202ec"}}""", "a b?[31m?c")]
    [TestCase("""{"error":{"message":"\ud800"}}""", null)]
    [TestCase("""{"error":{"message":17}}""", null)]
    [TestCase("""{"error":{"message":"  "}}""", null)]
    [TestCase("""{"detail":[{"msg":"a"}]}""", null)]
    [TestCase("[]", null)]
    [TestCase("", null)]
    [TestCase("<html>", null)]
    [TestCase("{\"error\":", null)]
    public void The_message_is_found_and_made_fit_to_be_shown(string json, string? message) =>
        Assert.That(UpstreamMessage.TryRead(Encoding.UTF8.GetBytes(json), _redactor), Is.EqualTo(message));

    [Test]
    public void A_long_message_is_cut_behind_its_secrets_were_taken_out()
    {
        var message = UpstreamMessage.TryRead(Body(new string('x', 990) + " " + Key + " " + new string('y', 5_000)), _redactor)!;
        Assert.That(message, Has.Length.LessThanOrEqualTo(1_024).And.Not.Contain("up-canary"));
    }

    [TestCase("bad key " + Key, "bad key [redacted]")]
    [TestCase("BAD KEY UP-CANARY-4UZKQ81WMXO7!", "BAD KEY [redacted]!")]
    [TestCase("at http://" + Host + "/v1/chat/completions", "at [redacted]/chat/completions")]
    [TestCase("cannot connect to " + Host, "cannot connect to [redacted]")]
    [TestCase("Incorrect API key provided: sk-proj-****abcd.", "Incorrect API key provided: [redacted]")]
    [TestCase("header Authorization: Bearer eyJhbGciOi.x.y given", "header Authorization: [redacted] given")]
    [TestCase("bearer token is missing", "[redacted] is missing")]
    [TestCase("the desk-lamp is off, ask-me-anything later", "the desk-lamp is off, ask-me-anything later")]
    public void Secrets_and_addresses_are_taken_out_of_text(string text, string expected) => Assert.That(_redactor.Apply(text), Is.EqualTo(expected));

    [Test]
    public void A_secret_that_holds_another_goes_whole() =>
        Assert.That(new Redactor("abcd1234", "abcd1234efgh5678", null, "").Apply("x abcd1234efgh5678 y"), Is.EqualTo("x [redacted] y"));

    [TestCase("""{"error":{"message":"bad KEY"}}""", TestName = "{m}(plain)")]
    [TestCase("""{ "error" : { "message" : "x", "param" : "KEY", "inner" : [ "KEY", { "KEY" : "KEY" } ] } }""", TestName = "{m}(values and names anywhere)")]
    [TestCase("""{"error":{"message":"x"},"KEY":"KEY","also":["KEY"]}""", TestName = "{m}(beside the error)")]
    public void An_error_body_keeps_no_secret_in_any_spelling(string body)
    {
        string[] spellings = [Key, Key.ToUpperInvariant(), Escaped(Key, '-'), Escaped(Key, '4'), string.Concat(Key.Select(c => $"\\u{(int)c:x4}")), "x" + Escaped(Key, 'u') + "x"];
        foreach (var spelling in spellings)
        {
            AssertClean(body.Replace("KEY", spelling, StringComparison.Ordinal));
        }
    }

    [TestCase("http://gpu-7.internal.example:8000/v1")]
    [TestCase("http:\\/\\/gpu-7.internal.example:8000\\/v1\\/models")]
    [TestCase("gpu\\u002d7.internal.example\\u003a8000")]
    public void An_error_body_keeps_no_address_in_any_spelling(string address)
    {
        var clean = AssertClean("""{"error":{"message":"at ADDRESS"}}""".Replace("ADDRESS", address, StringComparison.Ordinal));
        Assert.That((string?)clean["error"]!["message"], Does.Not.Contain("gpu-7"));
    }

    [Test]
    public void A_secret_that_is_a_number_goes_too()
    {
        var clean = JsonNode.Parse(UpstreamMessage.TryRedactBody("""{"error":{"code":4815162342},"n":[48151623420,1.50]}"""u8, new Redactor("4815162342"))!)!;
        Assert.That(clean.ToJsonString(), Does.Not.Contain("4815162342"));
        Assert.That(clean["n"]![1]!.ToJsonString(), Is.EqualTo("1.50"));
    }

    /// <summary>A rule that eats what looks like a key must not eat an escape with it.</summary>
    [TestCase("""{"error":{"message":"sent \"Bearer abcd\\\" and sk-abcdefgh\\\"x\""}}""")]
    [TestCase("""{"error":{"message":"Bearer abcd\\","x":"\\"}}""")]
    [TestCase("""{"error":{"message":"Bearer\tabcd\u0022x"}}""")]
    public void What_is_left_is_still_JSON(string body)
    {
        var clean = UpstreamMessage.TryRedactBody(Encoding.UTF8.GetBytes(body), _redactor);
        Assert.That(() => JsonNode.Parse(clean!), Throws.Nothing);
        Assert.That(Encoding.UTF8.GetString(clean!), Does.Not.Contain("abcd"));
    }

    [TestCase("""{"error":{"message":"a"}}""")]
    [TestCase("{ \"error\" : {\"code\": 1.50, \"message\":\"\\u00e9 \\/ é\"} }\r\n")]
    public void A_body_without_secrets_passes_byte_for_byte(string body) =>
        Assert.That(Encoding.UTF8.GetString(UpstreamMessage.TryRedactBody(Encoding.UTF8.GetBytes(body), _redactor)!), Is.EqualTo(body));

    [TestCase("")]
    [TestCase("[]")]
    [TestCase("""{"error":"text"}""")]
    [TestCase("""{"detail":"x"}""")]
    [TestCase("""{"error":{"message":"x"}} trailing""")]
    [TestCase("""{"error":{"message":"x"}""")]
    [TestCase("""{"error":{"message":"x","y":"\ud800"}}""", Description = "What cannot be read cannot be searched.")]
    public void Anything_else_than_an_error_object_does_not_pass(string body) =>
        Assert.That(UpstreamMessage.TryRedactBody(Encoding.UTF8.GetBytes(body), _redactor), Is.Null);

    [Test]
    public void An_errors_status_and_wait_are_those_asked_for()
    {
        var limited = UpstreamMessage.ToError(Body("slow down"), 429, _redactor, 2_500);
        Assert.That((limited.Status, limited.Code, limited.Type, limited.RetryAfterMs), Is.EqualTo((429, "rate_limit_exceeded", "rate_limit_error", 2_500)));
        var broken = UpstreamMessage.ToError(default, 502, _redactor);
        Assert.That((broken.Status, broken.Code, broken.Type, broken.RetryAfterMs, broken.Blame), Is.EqualTo((502, "upstream_error", "server_error", 1_000, Blame.Upstream)));
    }

    private static JsonNode AssertClean(string body)
    {
        var clean = UpstreamMessage.TryRedactBody(Encoding.UTF8.GetBytes(body), _redactor);
        Assert.That(clean, Is.Not.Null, body);
        var tree = JsonNode.Parse(clean!)!;
        Assert.That(Encoding.UTF8.GetString(clean!), Does.Not.Contain(Key).IgnoreCase, body);
        Assert.That(Strings(tree), Has.None.Contains(Key).IgnoreCase, body);
        Assert.That(Strings(tree), Has.None.Contains(Host).IgnoreCase, body);
        Assert.That(Strings(tree), Has.Some.Contains("[redacted]"), body);
        return tree;
    }

    private static IEnumerable<string> Strings(JsonNode? node) => node switch
    {
        JsonObject item => item.SelectMany(m => Strings(m.Value).Prepend(m.Key)),
        JsonArray list => list.SelectMany(Strings),
        JsonValue value when value.GetValueKind() == JsonValueKind.String => [value.GetValue<string>()],
        _ => [],
    };

    private static string Escaped(string text, char letter) => text.Replace(letter.ToString(), $"\\u{(int)letter:X4}", StringComparison.Ordinal);

    private static byte[] Body(string message) => JsonSerializer.SerializeToUtf8Bytes(new { error = new { message } });
}
