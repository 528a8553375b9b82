using System.IO.Compression;
using System.Text;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Answers that are good in an odd way, or odd in a way that must do no harm.</summary>
public sealed class OddAnswerTests : ProxyFixture
{
    [TestCase("{\"choices\":[", TestName = "U19_half_a_document_in_an_event_passes", Category = "U19")]
    [TestCase("<html><body>502</body></html>", TestName = "U19_HTML_in_an_event_passes", Category = "U19")]
    [TestCase("[1,2", TestName = "U19_half_a_list_in_an_event_passes", Category = "U19")]
    [TestCase("{\"usage\":{\"prompt_tokens\":\"x\",\"completion_tokens\":[1]}}", TestName = "U19_usage_that_is_none_passes", Category = "U19")]
    [TestCase("{\"choices\":{\"delta\":7},\"model\":[]}", TestName = "U19_members_of_other_types_pass", Category = "U19")]
    [TestCase("{\"choices\":[null,7,{\"delta\":null},{\"index\":\"x\",\"delta\":[]}]}", TestName = "U19_choices_that_are_none_pass", Category = "U19")]
    public async Task Malformed(string data)
    {
        string[] events = [Chat.Delta("a"), data, Chat.Delta("b"), Chat.Finish()];
        Upstream.Next(Replies.Stream(events));
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), Sse.Whole(events));
        Assert.That((await RecordAsync()).End, Is.EqualTo("ok"));
    }

    [Test]
    [Category("U19")]
    public async Task U19_bytes_that_are_no_text_pass_as_they_are()
    {
        byte[] stream = [.. Encoding.UTF8.GetBytes(Sse.Event(Chat.Delta("a"))), .. "data: {\"x\":\""u8, 0xC3, 0x28, 0xFF, 0x00, .. "\"}\n\n"u8, .. Encoding.UTF8.GetBytes(Sse.Event(Chat.Finish()) + Sse.Done)];
        Upstream.Next(Replies.StreamOf(stream));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        Assert.That((response.End, response.Body.Span.SequenceEqual(stream)), Is.EqualTo((BodyEnd.Whole, true)), response.Text);
    }

    [TestCase(64 * 1024, TestName = "U21_an_event_of_64_KB_passes", Category = "U21")]
    [TestCase(1 << 20, TestName = "U21_an_event_of_1_MB_passes", Category = "U21")]
    [TestCase((16 << 20) - 1000, TestName = "U21_an_event_of_nearly_16_MB_passes", Category = "U21")]
    public async Task LargeEvent(int size)
    {
        string[] events = [Chat.Delta("a"), Chat.Delta(new string('x', size)), Chat.Finish()];
        Upstream.Next(Replies.Stream(events));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        Assert.That((response.End, response.Body.Span.SequenceEqual(Encoding.UTF8.GetBytes(Sse.Whole(events)))), Is.EqualTo((BodyEnd.Whole, true)));
    }

    [TestCase(false, TestName = "U21_an_event_without_an_end_breaks_the_stream_at_the_limit", Category = "U21")]
    [TestCase(true, TestName = "U21_a_first_event_without_an_end_is_a_502_at_the_limit", Category = "U21")]
    public async Task EndlessEvent(bool first)
    {
        const int Piece = 1 << 20;
        string piece = new('x', Piece);
        long sent = 0;
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            if (!first)
            {
                await exchange.EventsAsync(Chat.Delta("a"));
            }

            await exchange.ChunkAsync("data: {\"x\":\"");
            for (; sent < 1L << 30; sent += Piece)
            {
                await exchange.ChunkAsync(piece);
            }
        });
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        if (first)
        {
            Contract.AssertError(response, 502, "event_too_large");
        }
        else
        {
            Contract.AssertBroken(response, "event_too_large");
            Assert.That(response.Text, Does.StartWith(Sse.Event(Chat.Delta("a"))).And.Not.Contain("xxx"));
        }

        Assert.That(sent, Is.LessThan(48 << 20), "given up near the limit of 16 MiB, sockets' buffers allowed for");
        Assert.That((await RecordAsync()).End, Is.EqualTo("event_too_large"));
    }

    public static IEnumerable<TestCaseData> ModelPlaces()
    {
        const string Asked = "gpt-4o-mini";
        string own = Chat.Delta("x");
        yield return Place("alone", own, own.Replace(Chat.UpstreamModel, Asked, StringComparison.Ordinal));
        yield return Place("absent", """{"choices":[{"index":0,"delta":{"content":"x"}}]}""", null);
        yield return Place("in_a_text", """{"choices":[{"index":0,"delta":{"content":"\"model\":\"upstream-mini\""}}]}""", null);
        yield return Place("in_a_tool_s_arguments", """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"model\":\"upstream-mini\"}"}}]}}]}""", null);
        yield return Place("in_a_nested_object", """{"choices":[{"index":0,"delta":{"content":"x"}}],"meta":{"model":"upstream-mini"}}""", null);
        yield return Place("in_a_choice", """{"choices":[{"model":"upstream-mini","index":0,"delta":{"content":"x"}}]}""", null);
        yield return Place("as_a_number", """{"model":7,"choices":[{"index":0,"delta":{"content":"x"}}]}""", null);
        yield return Place("with_blanks", """{ "model" : "upstream-mini" , "choices":[{"index":0,"delta":{"content":"x"}}]}""", """{ "model" : "gpt-4o-mini" , "choices":[{"index":0,"delta":{"content":"x"}}]}""");
        yield return Place("at_the_end", """{"choices":[{"index":0,"delta":{"content":"x"}}],"model":"upstream-mini"}""", """{"choices":[{"index":0,"delta":{"content":"x"}}],"model":"gpt-4o-mini"}""");
        yield return Place("with_another_value", """{"model":"other-0613","choices":[{"index":0,"delta":{"content":"x"}}]}""", """{"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"x"}}]}""");
    }

    [TestCaseSource(nameof(ModelPlaces))]
    public async Task OnlyTheModelIsPutBack(string data, string expected)
    {
        Setup.Mini.ResponseModel = ResponseModelName.Asked;
        Upstream.Next(Replies.Stream(data, """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"""));
        await StartAsync();
        Contract.AssertWhole(
            await PostAsync(Chat.Request(stream: true)),
            Sse.Whole(expected, """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"""));
    }

    [Test]
    [Category("U24")]
    public async Task U24_a_model_that_is_there_twice_is_the_asked_one_however_it_is_read()
    {
        Setup.Mini.ResponseModel = ResponseModelName.Asked;
        Upstream.Next(Replies.Stream("""{"model":"upstream-mini","choices":[{"index":0,"delta":{"content":"x"}}],"model":"upstream-mini"}""", Chat.Finish()));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        using var first = System.Text.Json.JsonDocument.Parse(Sse.Data(response.Text)[0]);
        Assert.That(first.RootElement.GetProperty("model").GetString(), Is.EqualTo("gpt-4o-mini"), "as parsers read it: the last one");
    }

    [TestCase("gzip", false, TestName = "U38_gzip_that_nobody_asked_for_is_decoded", Category = "U38")]
    [TestCase("br", false, TestName = "U38_brotli_that_nobody_asked_for_is_decoded", Category = "U38")]
    [TestCase("deflate", false, TestName = "U38_deflate_that_nobody_asked_for_is_decoded", Category = "U38")]
    [TestCase("gzip", true, TestName = "U38_a_gzip_stream_that_nobody_asked_for_is_decoded", Category = "U38")]
    [TestCase("br", true, TestName = "U38_a_brotli_stream_that_nobody_asked_for_is_decoded", Category = "U38")]
    public async Task Encoded(string encoding, bool stream)
    {
        string plain = stream ? Sse.Whole(Chat.Words("Hi", " there")) : Chat.Completion("Hi");
        Upstream.Next(exchange => exchange.AnswerAsync(200, stream ? "text/event-stream" : "application/json", Encode(encoding, plain), ("Content-Encoding", encoding)));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream));
        Assert.That((response.Status, response.Text, response.End), Is.EqualTo((200, plain, BodyEnd.Whole)));
        Assert.That(response.Headers["Content-Encoding"], Is.Null);
        Assert.That(Upstream.Request.Headers["Accept-Encoding"], Is.Null.Or.EqualTo("identity"));
    }

    [TestCase("zstd", false)]
    [TestCase("zstd", true)]
    [TestCase("gzip, gzip", false)]
    [Category("U38")]
    public async Task U38_an_encoding_that_cannot_be_decoded_is_a_502(string encoding, bool stream)
    {
        Upstream.Next(exchange => exchange.AnswerAsync(200, stream ? "text/event-stream" : "application/json", "x"u8.ToArray(), ("Content-Encoding", encoding)));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(stream)), 502, "upstream_unsupported_encoding");
    }

    [TestCase(false)]
    [TestCase(true)]
    [Category("U38")]
    public async Task U38_what_is_not_encoded_as_it_says_is_a_502(bool stream)
    {
        string plain = stream ? Sse.Whole(Chat.Words("Hi")) : Chat.Completion("Hi");
        Upstream.Next(exchange => exchange.AnswerAsync(200, stream ? "text/event-stream" : "application/json", Encoding.UTF8.GetBytes(plain), ("Content-Encoding", "gzip")));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(stream)), 502, code: null);
    }

    [Test]
    [Category("U39")]
    public async Task U39_chunk_extensions_and_trailers_are_dropped_and_the_stream_is_whole()
    {
        string[] words = Chat.Words("Hi", " there");
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync(("Trailer", "X-Checksum, Set-Cookie"));
            foreach (string word in words.Append("[DONE]"))
            {
                string one = Sse.Event(word);
                await exchange.SendAsync($"{Encoding.UTF8.GetByteCount(one):x};name=\"a;b\";x\r\n{one}\r\n");
            }

            await exchange.SendAsync("0;last\r\nX-Checksum: 1\r\nSet-Cookie: a=b\r\n\r\n");
        });
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        Contract.AssertWhole(await client.ReadAsync(), Sse.Whole(words));
        Assert.That(Encoding.UTF8.GetString(client.Received.Span), Does.Not.Contain("Checksum").And.Not.Contain("Set-Cookie"));
    }

    private static TestCaseData Place(string where, string data, string? expected) =>
        new TestCaseData(data, expected ?? data).SetName($"U24_a_model_{where}_is_put_back_only_where_it_is_the_model").SetCategory("U24");

    private static byte[] Encode(string encoding, string plain)
    {
        var encoded = new MemoryStream();
        using (Stream encoder = encoding switch
        {
            "br" => new BrotliStream(encoded, CompressionLevel.Fastest),
            "gzip" => new GZipStream(encoded, CompressionLevel.Fastest),
            _ => new ZLibStream(encoded, CompressionLevel.Fastest),
        })
        {
            encoder.Write(Encoding.UTF8.GetBytes(plain));
        }

        return encoded.ToArray();
    }
}
