using System.Buffers;
using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Bodies that are large, many, or larger than they look.</summary>
public sealed class LargeBodyTests : ProxyFixture
{
    private const int Mega = 1 << 20;

    private static readonly FieldNames s_names = new([]);

    [TestCase(500_000, 1, TestName = "C13_half_a_million_members_pass", Category = "C13")]
    [TestCase(1, 10_000_000, TestName = "C13_one_string_of_10_MB_passes", Category = "C13")]
    public async Task Passes(int members, int length)
    {
        byte[] body = Members(members, length);
        await StartAsync();
        RawClient client = await SendAsync(RawClient.Request("POST", ChatPath, body, Authorization));
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Text, Is.EqualTo(Encoding.UTF8.GetString(body).Replace("\"gpt-4o-mini\"", $"\"{Chat.UpstreamModel}\"", StringComparison.Ordinal)));
    }

    [Test]
    [Category("C13")]
    public void C13_the_time_to_find_the_fields_grows_with_the_body_and_no_faster()
    {
        TimeSpan small = Fastest(new ReadOnlySequence<byte>(Members(50_000, 20)));
        TimeSpan large = Fastest(new ReadOnlySequence<byte>(Members(500_000, 20)));
        Assert.That(large, Is.LessThan(small * 30), "ten times as many members");
    }

    [Test]
    [Category("C14")]
    public async Task C14_a_length_over_the_limit_is_refused_before_a_byte_of_it_is_asked_for()
    {
        Setup.Options.Limits.RequestBody = Mega;
        await StartAsync();
        RawClient client = await SendAsync(Head($"Content-Length: {Mega + 1}", "Expect: 100-continue"));
        RawResponse response = await client.ReadAsync();
        Contract.AssertError(response, 413, "request_too_large");
        Assert.That(response.Headers["Connection"], Is.EqualTo("close"));
        Assert.That(Encoding.ASCII.GetString(client.Received.Span), Does.StartWith("HTTP/1.1 413"), "nothing before it");
        client.Close();
        Assert.That(new LimitOptions().RequestBody, Is.GreaterThanOrEqualTo(50_000_000), "images fit by default");
    }

    [Test]
    [Category("C15")]
    public async Task C15_chunks_over_the_limit_are_refused_as_soon_as_they_pass_it()
    {
        Setup.Options.Limits.RequestBody = Mega;
        await StartAsync();
        RawClient client = await SendAsync(Head("Transfer-Encoding: chunked"));
        string piece = "10000\r\n" + new string(' ', 0x10000) + "\r\n";
        for (int sent = 0; sent <= Mega; sent += 0x10000)
        {
            await client.SendAsync(piece);
        }

        RawResponse response = await client.ReadAsync();
        Contract.AssertError(response, 413, "request_too_large");
        Assert.That(response.Headers["Connection"], Is.EqualTo("close"));
        AssertNothingIsHeld();
    }

    [Test]
    [Category("C16")]
    public async Task C16_bodies_that_have_no_room_beside_others_are_told_to_come_back()
    {
        const int Clients = 50;
        const int Room = 20;
        byte[] body = Members(1, Mega);
        Setup.Options.Limits.AllRequestBodies = Room * body.Length;
        await StartAsync();
        var clients = new List<RawClient>();
        for (int i = 0; i < Clients; i++)
        {
            RawClient client = await SendAsync(Head($"Content-Length: {body.Length}"));
            clients.Add(client);
        }

        // Room is taken when a length is announced: exactly so many are let in, and the others need not send anything.
        Dictionary<RawClient, Task<RawResponse>> answers = clients.ToDictionary(c => c, c => c.ReadAsync());
        await Deadline.Until(() => answers.Values.Count(a => a.IsCompleted) == Clients - Room, what: "the refusals");
        RawResponse[] refused = [.. answers.Values.Where(a => a.IsCompleted).Select(a => a.Result)];
        answers.Where(a => a.Value.IsCompleted).ToList().ForEach(a => a.Key.Close());
        foreach ((RawClient client, Task<RawResponse> answer) in answers.Where(a => !a.Value.IsCompleted).ToArray())
        {
            await client.SendAsync(body);
            Assert.That((await answer).Status, Is.EqualTo(200));
        }

        foreach (RawResponse response in refused)
        {
            Contract.AssertError(response, 503, "overloaded");
            Assert.That(response.Headers["Retry-After"], Is.EqualTo("1"));
        }

        AssertNothingIsHeld();
        ExpectUpstreamRequests(Room);
    }

    [Test]
    [Category("P25")]
    public void P25_the_budget_of_bodies_lends_what_it_has_and_gets_all_of_it_back()
    {
        var budget = new BodyBudget();
        int refused = 0;
        Parallel.For(0, 20_000, i =>
        {
            var share = new BodyShare(budget, new LimitOptions { AllRequestBodies = 1000, RequestBody = 500 });
            bool kept = share.Check(i % 300) is null;
            kept &= share.Check((i % 300) + 100) is null;
            Interlocked.Add(ref refused, kept ? 0 : 1);
            share.GiveBackUnlessKept();
        });
        using (Assert.EnterMultipleScope())
        {
            Assert.That(budget.Taken, Is.Zero);
            Assert.That(new BodyShare(budget, new LimitOptions { AllRequestBodies = 1000 }).Check(1001)!.Code, Is.EqualTo("overloaded"));
            Assert.That(new BodyShare(budget, new LimitOptions { AllRequestBodies = 1000 }).Check(1000), Is.Null);
            Assert.That(new BodyShare(new BodyBudget(), new LimitOptions { AllRequestBodies = 1000, RequestBody = 500 }).Check(501)!.Code, Is.EqualTo("request_too_large"));
        }
    }

    [TestCase("gzip", TestName = "C18_a_gzip_body_is_decoded", Category = "C18")]
    [TestCase("br", TestName = "C18_a_brotli_body_is_decoded", Category = "C18")]
    [TestCase("GZIP", TestName = "C18_the_name_of_an_encoding_has_no_case", Category = "C18")]
    public async Task IsDecoded(string encoding)
    {
        byte[] body = Encoding.UTF8.GetBytes("{\"user\":\"é🦓\",\"model\":\"gpt-4o-mini\"}");
        await StartAsync();
        RawResponse response = await PostEncodedAsync(encoding, Encode(encoding, new MemoryStream(body)));
        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        Assert.That(Upstream.Request.Text, Is.EqualTo("{\"user\":\"é🦓\",\"model\":\"" + Chat.UpstreamModel + "\"}"));
        Assert.That(Upstream.Request.Headers["Content-Encoding"], Is.Null);
    }

    [TestCase("deflate")]
    [TestCase("zstd")]
    [TestCase("gzip, br")]
    [Category("C18")]
    public async Task C18_another_encoding_is_a_415(string encoding)
    {
        await StartAsync();
        Contract.AssertError(await PostEncodedAsync(encoding, "x"u8.ToArray()), 415, "unsupported_content_encoding");
    }

    [Test]
    [Category("C18")]
    public async Task C18_a_body_that_is_not_what_its_encoding_says_is_a_400()
    {
        await StartAsync();
        Contract.AssertError(await PostEncodedAsync("gzip", "{\"model\":\"gpt-4o-mini\"}"u8.ToArray()), 400, "invalid_content_encoding");
        byte[] whole = Encode("gzip", new MemoryStream("{\"model\":\"gpt-4o-mini\"}"u8.ToArray()));
        Contract.AssertError(await PostEncodedAsync("gzip", whole[..(whole.Length / 2)]), 400, code: null);
        ExpectUpstreamRequests(0);
    }

    [TestCase("gzip")]
    [TestCase("br")]
    [Category("C19")]
    public async Task C19_a_small_body_that_swells_is_refused_at_the_limit(string encoding)
    {
        const int Limit = 4 * Mega;
        Setup.Options.Limits.RequestBody = Limit;
        byte[] bomb = Encode(encoding, new Zeros(200 * Mega));
        await StartAsync();
        await PostAsync(Chat.Request());
        long before = GC.GetTotalAllocatedBytes(precise: true);
        Contract.AssertError(await PostEncodedAsync(encoding, bomb), 413, "request_too_large");
        long allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
        Assert.That(bomb, Has.Length.LessThan(Limit));
        Assert.That(allocated, Is.LessThan(8 * Limit), "memory follows the limit, not the bomb");
        AssertNothingIsHeld();
        ExpectUpstreamRequests(1);
    }

    [Test]
    [Category("C50")]
    public async Task C50_tools_schemas_and_images_pass_and_are_not_logged()
    {
        string tools = string.Join(',', Enumerable.Range(0, 200).Select(i => "{\"type\":\"function\",\"function\":{\"name\":\"f" + i + "\",\"parameters\":{\"type\":\"object\"}}}"));
        string schema = "{\"type\":\"object\",\"properties\":{" + string.Join(',', Enumerable.Range(0, 60_000).Select(i => $$"""  "p{{i}}":{"type":"string","description":"{{Canary.Prompt}} {{i}}"}""")) + "}}";
        string image = "data:image/png;base64," + new string('A', 20_000_000);
        string body = "{\"tools\":[" + tools + "],\"response_format\":{\"type\":\"json_schema\",\"json_schema\":" + schema
            + "},\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"" + image + "\"}}]}],\"model\":\"gpt-4o-mini\"}";
        await StartAsync();
        Assert.That((await PostAsync(body)).Status, Is.EqualTo(200));
        string expected = body.Replace("\"gpt-4o-mini\"", $"\"{Chat.UpstreamModel}\"", StringComparison.Ordinal);
        Assert.That(Upstream.Request.Body.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(expected)));
        Assert.That(Proxy.LogLines.Where(line => line.Length > 10_000), Is.Empty);
    }

    [Test]
    [Category("C50")]
    public void C50_finding_the_fields_of_5_MB_takes_less_than_20_ms()
    {
        // As conversations are: few members, long texts.
        Assert.That(Fastest(new ReadOnlySequence<byte>(Members(50, 100_000))), Is.LessThan(TimeSpan.FromMilliseconds(20)));
    }

    private static byte[] Head(params string[] fields) => Encoding.ASCII.GetBytes(
        $"POST {ChatPath} HTTP/1.1\r\nHost: x\r\n{Authorization}\r\nContent-Type: application/json\r\n{string.Join("\r\n", fields)}\r\n\r\n");

    private static byte[] Members(int count, int length)
    {
        var body = new StringBuilder("{\"model\":\"gpt-4o-mini\"");
        for (int i = 0; i < count; i++)
        {
            body.Append(",\"k").Append(i).Append("\":\"").Append('v', length).Append('"');
        }

        return Encoding.UTF8.GetBytes(body.Append('}').ToString());
    }

    private static TimeSpan Fastest(ReadOnlySequence<byte> body) => Enumerable.Range(0, 7).Min(_ =>
    {
        long started = Stopwatch.GetTimestamp();
        Assert.That(RequestFields.Read(body, s_names).Error, Is.Null);
        return Stopwatch.GetElapsedTime(started);
    });

    private static byte[] Encode(string encoding, Stream plain)
    {
        var encoded = new MemoryStream();
        using (Stream encoder = encoding == "br" ? new BrotliStream(encoded, CompressionLevel.Fastest) : new GZipStream(encoded, CompressionLevel.Fastest))
        {
            plain.CopyTo(encoder);
        }

        return encoded.ToArray();
    }

    private async Task<RawResponse> PostEncodedAsync(string encoding, byte[] body) =>
        await (await SendAsync(RawClient.Request("POST", ChatPath, body, Authorization, "Content-Encoding: " + encoding))).ReadAsync();

    private void AssertNothingIsHeld()
    {
        if (Proxy is InProcessProxy app)
        {
            Assert.That(() => app.Services.GetRequiredService<BodyBudget>().Taken, Is.Zero.After(5000, 10));
        }
    }

    private sealed class Zeros(int length) : Stream
    {
        private int _left = length;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            count = Math.Min(count, _left);
            Array.Fill(buffer, (byte)' ', offset, count);
            _left -= count;
            return count;
        }

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
