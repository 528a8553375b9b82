using System.Globalization;
using System.Text;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Requests whose ends two readers could see in two places: one request of a client is never two of an upstream.</summary>
public sealed class FramingTests : ProxyFixture
{
    private const string Start = "POST " + ChatPath + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + Canary.ClientKey + "\r\n";

    private static readonly string s_body = "{\"model\":\"gpt-4o-mini\"}";

    /// <summary>A whole request of its own, hidden where a second reader would begin.</summary>
    private static readonly string s_hidden = Start + $"Content-Length: {s_body.Length}\r\n\r\n" + s_body;

    private static string Chunk => string.Create(CultureInfo.InvariantCulture, $"{s_body.Length:x}\r\n{s_body}\r\n");

    public static IEnumerable<TestCaseData> Ambiguous()
    {
        int both = Chunk.Length + 5;
        yield return Row("a_length_and_chunks", Start + $"Content-Length: {both}\r\nTransfer-Encoding: chunked\r\n\r\n{Chunk}0\r\n\r\n");
        yield return Row("chunks_and_a_length", Start + $"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n");
        yield return Row("two_lengths", Start + $"Content-Length: {s_body.Length}\r\nContent-Length: 1\r\n\r\n{s_body}");
        yield return Row("the_same_length_twice", Start + $"Content-Length: {s_body.Length}\r\nContent-Length: {s_body.Length}\r\n\r\n{s_body}");
        yield return Row("a_list_of_lengths", Start + $"Content-Length: {s_body.Length}, {s_body.Length}\r\n\r\n{s_body}");
        yield return Row("a_length_in_hexadecimal", Start + $"Content-Length: 0x{s_body.Length:x}\r\n\r\n{s_body}");
        yield return Row("a_negative_length", Start + $"Content-Length: -{s_body.Length}\r\n\r\n{s_body}");
        yield return Row("an_unknown_transfer_coding", Start + $"Transfer-Encoding: xchunked\r\n\r\n{Chunk}0\r\n\r\n");
        yield return Row("chunked_not_last", Start + $"Transfer-Encoding: chunked, identity\r\n\r\n{Chunk}0\r\n\r\n");
        yield return Row("two_transfer_codings", Start + $"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n{Chunk}0\r\n\r\n");
        yield return Row("a_blank_before_the_colon", Start + $"Transfer-Encoding : chunked\r\n\r\n{Chunk}0\r\n\r\n");
        yield return Row("a_control_character_before_chunked", Start + $"Transfer-Encoding: \u000bchunked\r\n\r\n{Chunk}0\r\n\r\n");
        yield return Row("chunks_in_HTTP_1.0", Start.Replace("1.1", "1.0", StringComparison.Ordinal) + $"Transfer-Encoding: chunked\r\n\r\n{Chunk}0\r\n\r\n");
        yield return Row("a_line_feed_in_a_chunk_extension", Start + $"Transfer-Encoding: chunked\r\n\r\n{s_body.Length:x};a\nb\r\n{s_body}\r\n0\r\n\r\n");
        yield return Row("a_bad_chunk_size", Start + $"Transfer-Encoding: chunked\r\n\r\nzz\r\n{s_body}\r\n0\r\n\r\n");
        yield return Row("a_chunk_size_that_overflows", Start + $"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF1\r\n{s_body}\r\n0\r\n\r\n");
        yield return Row("a_bad_end_of_a_chunk", Start + $"Transfer-Encoding: chunked\r\n\r\n{s_body.Length:x}\r\n{s_body}XX0\r\n\r\n");
        yield return Row("a_folded_header", Start + $"X-Folded: 1\r\n Transfer-Encoding: chunked\r\nContent-Length: {s_body.Length}\r\n\r\n{s_body}");
    }

    public static IEnumerable<TestCaseData> Normalised()
    {
        yield return Harmless("a_plus_before_a_length", Start + $"Content-Length: +{s_body.Length}\r\n\r\n{s_body}");
        yield return Harmless("a_length_of_minus_zero", Start + "Content-Length: -0\r\n\r\n");
        yield return Harmless("bare_line_feeds", (Start + $"Content-Length: {s_body.Length}\r\n\r\n").Replace("\r\n", "\n", StringComparison.Ordinal) + s_body);
        yield return Harmless("a_NUL_in_a_chunk_extension", Start + $"Transfer-Encoding: chunked\r\n\r\n{s_body.Length:x};a\0b\r\n{s_body}\r\n0\r\n\r\n");
    }

    [TestCaseSource(nameof(Ambiguous))]
    public async Task IsRefusedAndClosed(string request)
    {
        await StartAsync();
        RawClient client = await SendAsync(Encoding.Latin1.GetBytes(request + s_hidden));
        RawResponse response = await client.ReadAsync();
        Assert.That(response.Status, Is.AnyOf(400, 501), response.Text);
        await client.WaitForCloseAsync();
        Assert.That(Upstream.Requests, Is.Empty);
    }

    /// <summary>What follows is a request of its own: as many records as upstream requests, which the fixture asserts.</summary>
    [TestCaseSource(nameof(Normalised))]
    public async Task IsReadInOneWay(string request)
    {
        await StartAsync();
        RawClient client = await SendAsync(Encoding.Latin1.GetBytes(request));
        RawResponse response = await client.ReadAsync();
        Assert.That(response.Status, Is.AnyOf(200, 400), response.Text);
        Assert.That(Upstream.Requests, Has.Count.LessThanOrEqualTo(1));
    }

    [Test]
    [Category("C34")]
    public async Task C34_a_key_in_a_trailer_is_none()
    {
        await StartAsync();
        RawClient client = await SendAsync(Encoding.ASCII.GetBytes(
            $"POST {ChatPath} HTTP/1.1\r\nHost: x\r\nTrailer: Authorization\r\nTransfer-Encoding: chunked\r\n\r\n{Chunk}0\r\n{Authorization}\r\n\r\n"));
        Contract.AssertError(await client.ReadAsync(), 401, "invalid_api_key");
    }

    [Test]
    [Category("C34")]
    public async Task C34_trailers_go_nowhere()
    {
        await StartAsync();
        RawClient client = await SendAsync(Encoding.ASCII.GetBytes(
            Start + $"Transfer-Encoding: chunked\r\n\r\n{Chunk}0\r\nAuthorization: Bearer {Canary.OtherClientKey}\r\nOpenAI-Beta: 1\r\n\r\n"));
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Headers["OpenAI-Beta"], Is.Null);
        Assert.That((await RecordAsync()).Caller, Is.EqualTo("tester"));
    }

    [Test]
    [Category("C34")]
    public async Task C34_two_requests_in_one_packet_are_two_records()
    {
        await StartAsync();
        RawClient client = await SendAsync(Encoding.ASCII.GetBytes(s_hidden + s_hidden));
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        await Deadline.Until(() => Proxy.Records.Count == 2);
        ExpectUpstreamRequests(2);
    }

    [TestCase("gzip, chunked")]
    [TestCase("gzip,chunked")]
    [TestCase("deflate, chunked")]
    [Category("C35")]
    public async Task C35_a_transfer_coding_besides_chunked_is_a_501(string coding)
    {
        await StartAsync();
        RawClient client = await SendAsync(Encoding.ASCII.GetBytes(Start + $"Transfer-Encoding: {coding}\r\n\r\n{Chunk}0\r\n\r\n"));
        RawResponse response = await client.ReadAsync();
        Contract.AssertError(response, 501, "unsupported_transfer_encoding");
        Assert.That(response.Headers["Connection"], Is.EqualTo("close"));
        await client.WaitForCloseAsync();
    }

    [TestCase("X-None: 1", TestName = "C37_no_Host_is_a_400", Category = "C37")]
    [TestCase("Host:", TestName = "C37_an_empty_Host_is_a_400", Category = "C37")]
    [TestCase("Host: a\r\nHost: b", TestName = "C37_two_Hosts_are_a_400", Category = "C37")]
    [TestCase("Host: user@a", TestName = "C37_a_Host_with_a_user_is_a_400", Category = "C37")]
    [TestCase("Host: a/path", TestName = "C37_a_Host_with_a_path_is_a_400", Category = "C37")]
    public async Task BadHost(string host)
    {
        await StartAsync();
        RawClient client = await SendAsync(Encoding.ASCII.GetBytes($"POST {ChatPath} HTTP/1.1\r\n{host}\r\n{Authorization}\r\nContent-Length: {s_body.Length}\r\n\r\n{s_body}"));
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(400));
        Assert.That(Upstream.Requests, Is.Empty);
    }

    [Test]
    [Category("C37")]
    public async Task C37_a_target_for_another_host_than_Host_is_a_400()
    {
        await StartAsync();
        RawClient client = await SendAsync(Encoding.ASCII.GetBytes(
            $"POST http://a.example{ChatPath} HTTP/1.1\r\nHost: b.example\r\n{Authorization}\r\nContent-Length: {s_body.Length}\r\n\r\n{s_body}"));
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(400));
        Assert.That(Upstream.Requests, Is.Empty);
    }

    [Test]
    [Category("C37")]
    public async Task C37_a_Host_decides_nothing()
    {
        await StartAsync();
        RawClient client = await SendAsync(Encoding.ASCII.GetBytes(s_hidden.Replace("Host: x", "Host: evil.example:99", StringComparison.Ordinal)));
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Headers["Host"], Is.EqualTo(Upstream.EndPoint.ToString()));
    }

    private static TestCaseData Row(string what, string request) => new TestCaseData(request).SetName($"C34_{what}_is_refused").SetCategory("C34");

    private static TestCaseData Harmless(string what, string request) => new TestCaseData(request).SetName($"C34_{what}_is_read_in_one_way").SetCategory("C34");
}
