using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using LlmProxy.Core.Protocol;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

internal sealed class ErrorTextTests
{
    private static readonly Gen<string> _hostile = Gen.OneOf(
            "a", "\"", "\\", "\n", "\r\n", "\r", "\0", "\u001b[31m", "\u007f", "\u0085", "\u2028", "\u2029", "\u202e", "\ud800", "\udc00", "🦓", "é", "</script>", "data: [DONE]\n\n", "\uFEFF")
        .Array[0, 600].Select(string.Concat);

    [Test]
    public void An_error_with_any_message_is_JSON_with_the_four_members() => _hostile.Sample(
        text =>
        {
            foreach (var dialect in new[] { Dialect.Chat, Dialect.Legacy, Dialect.Plain, Dialect.Responses })
            {
                var error = ProxyErrors.UpstreamError(502, text);
                var output = new ArrayBufferWriter<byte>();
                dialect.WriteError(error, ErrorText.Compose(error, null), "id", output);
                Contract.AssertErrorBody(Encoding.UTF8.GetString(output.WrittenSpan).Replace("\"message\":\"\"", "\"message\":\"-\"", StringComparison.Ordinal), 502, "upstream_error");
            }

            return true;
        },
        iter: 300);

    [Test]
    public void An_error_event_with_any_message_is_one_event_in_every_dialect() => _hostile.Sample(
        text =>
        {
            var error = ProxyErrors.UpstreamError(502, text);
            foreach (var dialect in new[] { Dialect.Chat, Dialect.Responses, Dialect.Messages })
            {
                var output = new ArrayBufferWriter<byte>();
                dialect.CreateInspector(Inspected.Expectation()).WriteErrorEvent(error, ErrorText.Compose(error, null), "id", output);
                var seen = SseReading.Read(output.WrittenSpan);
                if (seen.Events.Count != 1 || seen.Rest.Length > 0 || JsonNode.Parse(seen.Events[0].Data) is not JsonObject data
                    || (dialect == Dialect.Chat && data["error"]!.AsObject().Count != 4))
                {
                    return false;
                }
            }

            return true;
        },
        iter: 300);

    [TestCase(400, "invalid_request_error")]
    [TestCase(403, "permission_error")]
    [TestCase(429, "rate_limit_error")]
    [TestCase(500, "server_error")]
    [TestCase(504, "server_error")]
    public void The_type_follows_from_the_status(int status, string type) => Assert.That(new ProxyError(status, "c", "m").Type, Is.EqualTo(type));

    [TestCase(401, true)]
    [TestCase(403, true)]
    [TestCase(404, true)]
    [TestCase(429, true)]
    [TestCase(400, false)]
    [TestCase(502, false)]
    public void A_refusal_ends_in_whom_to_ask(int status, bool asks) => Assert.That(
        ErrorText.Compose(new ProxyError(status, "c", "No."), "ops@example.org"), Is.EqualTo(asks ? "No. Ask ops@example.org." : "No."));

    [TestCase("gpt-5", "gpt-5")]
    [TestCase("a\nb\tc\rd", "a b c d")]
    [TestCase("a\u001b[2Jb\u0007", "a?[2Jb?")]
    [TestCase("a\u202eb\u200bc\u2028d\uFEFFe", "a?b?c?d?e")]
    [TestCase("é🦓", "é🦓")]
    public void A_name_of_others_is_made_fit_to_be_shown(string text, string shown) => Assert.That(DisplayText.Name(text), Is.EqualTo(shown));

    [Test]
    public void Half_a_character_is_shown_as_one_that_is_missing() => Assert.That(DisplayText.Name("a\ud800b"), Is.EqualTo("a\uFFFDb"));

    [Test]
    public void A_long_name_is_cut_and_never_within_a_character()
    {
        Assert.That(DisplayText.Name(new string('x', 64)), Is.EqualTo(new string('x', 64)));
        Assert.That(DisplayText.Name(new string('x', 65)), Is.EqualTo(new string('x', 64) + "…"));
        Assert.That(DisplayText.Name(new string('x', 63) + "🦓"), Is.EqualTo(new string('x', 63) + "…"));
        Assert.That(DisplayText.Message(new string('x', 5_000)), Has.Length.EqualTo(1_001));
    }
}
