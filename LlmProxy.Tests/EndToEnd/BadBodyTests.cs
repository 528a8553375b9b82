using System.Text;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Bodies that are refused: the right error, nothing echoed, nothing sent upstream.</summary>
public sealed class BadBodyTests : ProxyFixture
{
    private const string Rest = ",\"messages\":[{\"role\":\"user\",\"content\":\"" + Canary.Prompt + "\"}]}";

    public static IEnumerable<TestCaseData> Malformed()
    {
        yield return Row("C01", "an_empty_body", "", "invalid_json");
        yield return Row("C01", "whitespace_only", " \r\n\t", "invalid_json");
        yield return Row("C01", "null_as_the_root", "null", "invalid_body");
        yield return Row("C01", "an_array_as_the_root", "[{\"model\":\"gpt-4o-mini\"}]", "invalid_body");
        yield return Row("C01", "a_string_as_the_root", "\"gpt-4o-mini\"", "invalid_body");
        yield return Row("C01", "a_number_as_the_root", "42", "invalid_body");
        string good = "{\"model\":\"gpt-4o-mini\"" + Rest;
        yield return Row("C02", "a_truncated_body", good[..^2], "invalid_json");
        yield return Row("C02", "trailing_garbage", good + "x", "invalid_json");
        yield return Row("C02", "two_documents", good + good, "invalid_json");
        yield return Row("C02", "a_trailing_comma", "{\"model\":\"gpt-4o-mini\",}", "invalid_json");
        yield return Row("C02", "a_comment", "{/* x */\"model\":\"gpt-4o-mini\"" + Rest, "invalid_json");
        yield return Row("C02", "single_quotes", "{'model':'gpt-4o-mini'}", "invalid_json");
        yield return Row("C02", "NaN", "{\"model\":\"gpt-4o-mini\",\"temperature\":NaN}", "invalid_json");
        yield return Row("C02", "a_leading_zero", "{\"model\":\"gpt-4o-mini\",\"temperature\":01}", "invalid_json");
        yield return Row("C02", "a_break_deep_inside", "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":}]}", "invalid_json");
    }

    public static IEnumerable<TestCaseData> Twins()
    {
        yield return Row("C05", "two_models", "{\"model\":\"gpt-4o-mini\",\"model\":\"gpt-5\"" + Rest, "duplicate_key", "model");
        yield return Row("C05", "the_same_model_twice", "{\"model\":\"gpt-4o-mini\",\"model\":\"gpt-4o-mini\"" + Rest, "duplicate_key", "model");
        yield return Row("C05", "a_second_model_after_everything", "{\"model\":\"gpt-4o-mini\"" + Rest[..^1] + ",\"model\":\"x\"}", "duplicate_key", "model");
        yield return Row("C05", "two_streams", "{\"model\":\"gpt-4o-mini\",\"stream\":true,\"stream\":false" + Rest, "duplicate_key", "stream");
        yield return Row("C06", "a_second_model_behind_an_escape", "{\"model\":\"gpt-4o-mini\",\"mod\\u0065l\":\"gpt-5\"" + Rest, "duplicate_key", "model");
        yield return Row("C07", "Model_beside_model", "{\"model\":\"gpt-4o-mini\",\"Model\":\"gpt-5\"" + Rest, "ambiguous_key");
        yield return Row("C07", "Model_instead_of_model", "{\"Model\":\"gpt-4o-mini\"" + Rest, "ambiguous_key");
        yield return Row("C07", "MODEL_beside_model", "{\"MODEL\":\"gpt-5\",\"model\":\"gpt-4o-mini\"" + Rest, "ambiguous_key");
        yield return Row("C07", "Model_behind_an_escape", "{\"model\":\"gpt-4o-mini\",\"\\u004dodel\":\"gpt-5\"" + Rest, "ambiguous_key");
        yield return Row("C07", "stream_with_a_long_s", "{\"model\":\"gpt-4o-mini\",\"ſtream\":true" + Rest, "ambiguous_key");
        yield return Row("C07", "stream_with_an_escaped_long_s", "{\"model\":\"gpt-4o-mini\",\"\\u017ftream\":true" + Rest, "ambiguous_key");
        yield return Row("C07", "max_tokens_with_a_Kelvin_sign", "{\"model\":\"gpt-4o-mini\",\"max_to\u212Aens\":5" + Rest, "ambiguous_key");
        yield return Row("C07", "max_tokens_with_an_escaped_Kelvin_sign", "{\"model\":\"gpt-4o-mini\",\"max_tokens\":5,\"max_to\\u212aens\":5" + Rest, "ambiguous_key");
    }

    public static IEnumerable<TestCaseData> Models()
    {
        yield return Row("C08", "a_model_only_inside_metadata", "{\"metadata\":{\"model\":\"gpt-4o-mini\"}" + Rest, "model_required", "model");
        yield return Row("C09", "no_model", "{\"stream\":false" + Rest, "model_required", "model");
        yield return Row("C09", "a_null_model", "{\"model\":null" + Rest, "model_required|invalid_model", "model");
        yield return Row("C09", "an_empty_model", "{\"model\":\"\"" + Rest, "model_required|invalid_model", "model");
        yield return Row("C09", "a_number_as_the_model", "{\"model\":42" + Rest, "invalid_model", "model");
        yield return Row("C09", "an_array_as_the_model", "{\"model\":[\"gpt-4o-mini\"]" + Rest, "invalid_model", "model");
        yield return Row("C09", "an_object_as_the_model", "{\"model\":{\"name\":\"gpt-4o-mini\"}" + Rest, "invalid_model", "model");
        yield return Row("C09", "a_model_of_10_KB", "{\"model\":\"" + new string('m', 10_000) + "\"" + Rest, "invalid_model", "model");
        yield return Row("C09", "a_model_with_CR_LF", "{\"model\":\"gpt-4o-mini\\r\\nX-Injected: 1\"" + Rest, "invalid_model", "model");
        yield return Row("C09", "a_model_with_a_NUL", "{\"model\":\"gpt-4o-mini\\u0000\"" + Rest, "invalid_model", "model");
        yield return Row("C10", "a_lone_surrogate_in_the_model", "{\"model\":\"gpt\\ud800\"" + Rest, "invalid_model", "model");
        yield return Row("C47", "stream_as_text", "{\"model\":\"gpt-4o-mini\",\"stream\":\"true\"" + Rest, "invalid_type", "stream");
        yield return Row("C47", "stream_as_a_number", "{\"model\":\"gpt-4o-mini\",\"stream\":1" + Rest, "invalid_type", "stream");
        yield return Row("C47", "stream_as_an_object", "{\"model\":\"gpt-4o-mini\",\"stream\":{}" + Rest, "invalid_type", "stream");
    }

    [TestCaseSource(nameof(Malformed))]
    [TestCaseSource(nameof(Twins))]
    [TestCaseSource(nameof(Models))]
    public async Task Refused(string body, string codes, string? param)
    {
        ArgumentNullException.ThrowIfNull(codes);
        await StartAsync();
        await AssertRefusedAsync(Encoding.UTF8.GetBytes(body), codes.Split('|'), param);
    }

    [Test]
    [Category("C10")]
    public async Task C10_invalid_UTF8_in_the_model_is_refused()
    {
        await StartAsync();
        byte[] body = [.. "{\"model\":\"gpt"u8, 0xC3, 0x28, .. "\""u8, .. Encoding.UTF8.GetBytes(Rest)];
        await AssertRefusedAsync(body, ["invalid_model"], "model");
    }

    [TestCase("utf-16")]
    [TestCase("utf-16BE")]
    [TestCase("utf-32")]
    [Category("C04")]
    public async Task C04_another_charset_is_a_415_whether_it_is_said_or_only_done(string charset)
    {
        byte[] body = Encoding.GetEncoding(charset).GetBytes("{\"model\":\"gpt-4o-mini\"" + Rest);
        byte[] marked = [.. Encoding.GetEncoding(charset).GetPreamble(), .. body];
        await StartAsync();
        foreach ((string contentType, byte[] bytes) in ((string, byte[])[])
            [($"application/json; charset={charset}", body), ("application/json", body), ("application/json", marked)])
        {
            RawClient client = await SendAsync(RawClient.Request("POST", ChatPath, bytes, Authorization, "Content-Type: " + contentType));
            Contract.AssertError(await client.ReadAsync(), 415, "unsupported_charset");
        }

        ExpectUpstreamRequests(0);
    }

    [Test]
    [Category("C02")]
    public async Task C02_the_message_says_at_which_byte()
    {
        await StartAsync();
        RawResponse response = await PostAsync("{\"model\":\"gpt-4o-mini\",]");
        Assert.That((string)Contract.AssertError(response, 400, "invalid_json")["message"]!, Does.Match("\\b2[234]\\b"));
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task A_body_nested_deeper_than_anything_real_is_refused_and_not_a_crash()
    {
        await StartAsync();
        string deep = "{\"model\":\"gpt-4o-mini\",\"x\":" + new string('[', 100_000) + new string(']', 100_000) + "}";
        Contract.AssertError(await PostAsync(deep), 400, code: null);
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task A_body_over_the_limit_is_a_413_with_a_length_and_without()
    {
        Setup.Options.Limits.RequestBody = 10_000;
        await StartAsync();
        string body = Chat.Request(more: ",\"user\":\"" + new string('u', 20_000) + "\"");
        Contract.AssertError(await PostAsync(body), 413, "request_too_large");
        RawClient client = await SendAsync(Encoding.ASCII.GetBytes(
            $"POST {ChatPath} HTTP/1.1\r\nHost: x\r\n{Authorization}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{body.Length:x}\r\n{body}\r\n0\r\n\r\n"));
        Contract.AssertError(await client.ReadAsync(), 413, "request_too_large");
        ExpectUpstreamRequests(0);
    }

    private static TestCaseData Row(string row, string what, string body, string code, string? param = null) =>
        new TestCaseData(body, code, param).SetName($"{row}_{what}_is_{code.Replace('|', '_')}").SetCategory(row);

    private async Task AssertRefusedAsync(byte[] body, string[] codes, string? param)
    {
        RawClient client = await SendAsync(RawClient.Request("POST", ChatPath, body, Authorization, "Content-Type: application/json"));
        RawResponse response = await client.ReadAsync();
        string code = Contract.AssertError(response, 400, code: null, param)["code"]!.ToString();
        Assert.That(codes, Does.Contain(code), response.Text);
        Assert.That(response.Text, Does.Not.Contain(Canary.Prompt), "the body is not echoed");
        RecordView record = await RecordAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((record.End, record.Blame, record.Status, record.Attempts), Is.EqualTo((code, "client", 400, 0)));
            Assert.That(record.Model?.Length ?? 0, Is.LessThanOrEqualTo(100), "a model in a record is short");
            Assert.That(record.Model ?? "", Has.None.Matches<char>(char.IsControl));
        }

        ExpectUpstreamRequests(0);
    }
}
