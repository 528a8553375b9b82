using System.IO.Compression;
using System.Text;
using LlmProxy.Core.Requests;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Bodies that come compressed: what counts is what comes out of them.</summary>
public sealed class CompressedBodyTests : ProxyFixture
{
    private const int Mega = 1 << 20;

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
