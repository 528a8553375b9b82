using System.Text;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Odd but good bodies go upstream byte for byte, but for the model.</summary>
public sealed class GoodBodyTests : ProxyFixture
{
    private static readonly byte[] s_model = "\"gpt-4o-mini\""u8.ToArray();

    public static IEnumerable<TestCaseData> Bodies()
    {
        yield return Row("C08", "a_model_inside_metadata_is_not_the_model", """{"metadata":{"model":"gpt-5","stream":true},"model":"gpt-4o-mini"}""");
        yield return Row("C08", "a_model_as_text_in_a_message_is_not_the_model", """{"messages":[{"role":"user","content":"\"model\":\"gpt-5\""}],"model":"gpt-4o-mini"}""");
        yield return Row("C11", "a_lone_surrogate_elsewhere_passes", """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"a\ud800b"}]}""");
        yield return Row("C11", "an_escaped_NUL_elsewhere_passes", """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"a\u0000b"}]}""");
        yield return Row("C13", "numbers_are_not_reformatted", """{"model":"gpt-4o-mini","a":1e999,"b":123456789012345678901234567890,"c":1.0,"d":-0.0,"e":1E+2}""");
        yield return Row("C47", "stream_null_is_no_stream", """{"model":"gpt-4o-mini","stream":null}""");
        yield return Row("C50", "white_space_and_order_stay", "\r\n\t { \"z\" : [ 1 , 2 ] ,\n\"model\"\t:\t\"gpt-4o-mini\" , \"a\" : { } }\n ");
        yield return Row("C50", "unknown_parameters_pass", """{"x_vendor":{"deep":[{"er":true}]},"model":"gpt-4o-mini","guided_json":"{}","Ünïcode":"🦓"}""");
    }

    [TestCaseSource(nameof(Bodies))]
    public async Task PassesUnchanged(string body)
    {
        await StartAsync();
        await AssertPassesAsync(Encoding.UTF8.GetBytes(body));
    }

    [Test]
    [Category("C11")]
    public async Task C11_invalid_UTF8_elsewhere_passes_unchanged()
    {
        await StartAsync();
        await AssertPassesAsync([.. "{\"model\":\"gpt-4o-mini\",\"user\":\"a"u8, 0xC3, 0x28, 0xFF, .. "\"}"u8]);
    }

    [Test]
    [Category("C06")]
    public async Task C06_a_single_escaped_key_is_the_model_and_goes_upstream_unescaped()
    {
        await StartAsync();
        Assert.That((await PostAsync("""{"mod\u0065l":"gpt-4o-mini"}""")).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Text, Is.EqualTo($$"""{"model":"{{Chat.UpstreamModel}}"}"""));
    }

    [Test]
    public async Task An_escaped_model_name_is_the_same_name()
    {
        await StartAsync();
        Assert.That((await PostAsync("""{"model":"gpt\u002d4o\u002Dmini"}""")).Status, Is.EqualTo(200));
        Assert.That((string?)Upstream.Request.Json["model"], Is.EqualTo(Chat.UpstreamModel));
    }

    [TestCase(80_000)]
    [TestCase(1_000_000)]
    [TestCase(8_000_000)]
    public async Task A_large_body_arrives_whole(int size)
    {
        await StartAsync();
        await AssertPassesAsync(Encoding.UTF8.GetBytes("{\"messages\":[{\"role\":\"user\",\"content\":\"" + new string('é', size / 2) + "\"}],\"model\":\"gpt-4o-mini\"}"));
    }

    [Test]
    public async Task A_body_in_chunks_of_one_byte_is_the_same_as_in_one_piece()
    {
        byte[] body = Encoding.UTF8.GetBytes("""{"messages":[{"role":"user","content":"é🦓"}],"model":"gpt-4o-mini","stream":false}""");
        await StartAsync();
        RawClient client = await ConnectAsync();
        await client.SendAsync($"POST {ChatPath} HTTP/1.1\r\nHost: x\r\n{Authorization}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
        foreach (byte one in body)
        {
            await client.SendAsync((byte[])[.. "1\r\n"u8, one, .. "\r\n"u8]);
        }

        await client.SendAsync("0\r\n\r\n");
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        AssertUpstreamGot(body);
    }

    [Test]
    public async Task A_byte_order_mark_before_the_body_does_no_harm()
    {
        await StartAsync();
        RawClient client = await SendAsync(RawClient.Request(
            "POST", ChatPath, [0xEF, 0xBB, 0xBF, .. """{"model":"gpt-4o-mini"}"""u8], Authorization, "Content-Type: application/json"));
        RawResponse response = await client.ReadAsync();
        Assert.That(response.Status, Is.AnyOf(200, 400), response.Text);
    }

    [TestCase(null, TestName = "C17_no_content_type_is_taken_for_JSON", Category = "C17")]
    [TestCase("application/json; charset=utf-8", TestName = "C17_a_charset_of_utf8_is_JSON", Category = "C17")]
    [TestCase("APPLICATION/JSON", TestName = "C17_upper_case_is_JSON", Category = "C17")]
    [TestCase("application/json;charset=\"UTF-8\"", TestName = "C17_a_quoted_charset_is_JSON", Category = "C17")]
    public async Task GoodContentType(string? contentType)
    {
        await StartAsync();
        RawClient client = await SendAsync(RawClient.Request(
            "POST", ChatPath, Encoding.UTF8.GetBytes(Chat.Request()), contentType is null ? [Authorization] : [Authorization, "Content-Type: " + contentType]));
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Headers["Content-Type"], Does.StartWith("application/json").IgnoreCase);
    }

    [TestCase("text/plain")]
    [TestCase("application/x-www-form-urlencoded")]
    [TestCase("multipart/form-data; boundary=x")]
    [TestCase("application/jsonp")]
    [Category("C17")]
    public async Task C17_another_content_type_is_a_415(string contentType)
    {
        await StartAsync();
        RawClient client = await SendAsync(RawClient.Request("POST", ChatPath, Encoding.UTF8.GetBytes(Chat.Request()), Authorization, "Content-Type: " + contentType));
        Contract.AssertError(await client.ReadAsync(), 415, "unsupported_media_type");
        ExpectUpstreamRequests(0);
    }

    [Test]
    [Category("C17")]
    public async Task C17_two_content_types_are_a_400()
    {
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(), ChatPath, "Content-Type: text/plain"), 400, code: null);
        ExpectUpstreamRequests(0);
    }

    private static TestCaseData Row(string row, string what, string body) => new TestCaseData(body).SetName($"{row}_{what}").SetCategory(row);

    private async Task AssertPassesAsync(byte[] body)
    {
        RawClient client = await SendAsync(RawClient.Request("POST", ChatPath, body, Authorization, "Content-Type: application/json"));
        RawResponse response = await client.ReadAsync();
        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        AssertUpstreamGot(body);
    }

    private void AssertUpstreamGot(byte[] body)
    {
        int model = body.AsSpan().LastIndexOf(s_model);
        byte[] expected = [.. body[..model], .. Encoding.UTF8.GetBytes($"\"{Chat.UpstreamModel}\""), .. body[(model + s_model.Length)..]];
        Assert.That(Upstream.Request.Body.AsSpan().SequenceEqual(expected), Upstream.Request.Text.Length > 2000 ? "bytes differ" : Upstream.Request.Text);
    }
}
