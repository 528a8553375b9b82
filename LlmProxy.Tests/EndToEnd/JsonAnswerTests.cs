using System.Text;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Answers without a stream.</summary>
public sealed class JsonAnswerTests : ProxyFixture
{
    [TestCase("{\"id\":\"x\",\"choices\":[],\"object\" : \"chat.completion\" }", TestName = "{m}_small")]
    [TestCase("\r\n {\"id\":\"x\",\"n\":123456789012345678901234567890,\"u\":\"\\u00e9é🦓\"}\n", TestName = "{m}_with_odd_spacing_and_numbers")]
    public async Task Passes_byte_for_byte(string body)
    {
        Upstream.Next(Replies.Json(200, body));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Status, Is.EqualTo(200));
            Assert.That(response.Text, Is.EqualTo(body));
            Assert.That(response.End, Is.EqualTo(BodyEnd.Whole));
            Assert.That(response.Headers["Content-Type"], Does.StartWith("application/json"));
        }
    }

    [TestCase(100_000)]
    [TestCase(1_048_576)]
    [TestCase(5_000_000)]
    public async Task A_large_one_passes_whole_held_or_not(int size)
    {
        string body = Chat.Completion(new string('x', size));
        Upstream.Next(Replies.Json(200, body));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Assert.That((response.Status, response.End), Is.EqualTo((200, BodyEnd.Whole)));
        Assert.That(response.Body.Span.SequenceEqual(Encoding.UTF8.GetBytes(body)));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.OutputTokens), Is.EqualTo(("ok", (long?)12)));
    }

    [Test]
    public async Task One_in_chunks_cut_at_every_offset_is_the_same()
    {
        byte[] body = Encoding.UTF8.GetBytes(Chat.Completion("é🦓"));
        int cut = 0;
        Upstream.Otherwise(async exchange =>
        {
            await exchange.HeadAsync(200, ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked"));
            await exchange.ChunkAsync(body.AsMemory(0, Volatile.Read(ref cut)));
            await exchange.TakenAsync();
            await exchange.ChunkAsync(body.AsMemory(Volatile.Read(ref cut)));
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawClient client = await ConnectAsync();
        byte[] request = RawClient.Request("POST", ChatPath, Encoding.UTF8.GetBytes(Chat.Request()), Authorization, "Content-Type: application/json");
        for (int at = 1; at < body.Length; at++)
        {
            Volatile.Write(ref cut, at);
            await client.SendAsync(request);
            RawResponse response = await client.ReadAsync();
            Assert.That(response.Body.Span.SequenceEqual(body), $"cut at {at}: {response.Text}");
        }
    }

    [Test]
    public async Task A_large_one_that_breaks_off_ends_unterminated()
    {
        string body = Chat.Completion(new string('x', 3_000_000));
        Upstream.Next(async exchange =>
        {
            await exchange.HeadAsync(200, ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked"));
            await exchange.ChunkAsync(body[..2_000_000]);
            exchange.Close();
        });
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Assert.That(response.Status, Is.EqualTo(200));
        Assert.That(response.End, Is.EqualTo(BodyEnd.Unterminated));
        Assert.That((await RecordAsync()).Blame, Is.EqualTo("upstream"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_large_one_may_take_its_time_as_long_as_it_goes_on(bool goesOn)
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Idle = TimeSpan.FromSeconds(60);
        Setup.Main.Timeouts.Response = TimeSpan.FromSeconds(60);
        string body = Chat.Completion(new string('x', 2_000_000));
        var turns = new SemaphoreSlim(0);
        int sent = 0;
        Upstream.Next(async exchange =>
        {
            await exchange.HeadAsync(200, ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked"));
            await exchange.ChunkAsync(body[..1_500_000]);
            for (int at = 1_500_000; at < body.Length; at += 100_000)
            {
                await exchange.PauseAsync(turns.WaitAsync());
                await exchange.ChunkAsync(body[at..Math.Min(body.Length, at + 100_000)]);
                await exchange.TakenAsync();
                Interlocked.Increment(ref sent);
            }

            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(Chat.Request())).ReadHeadAsync();
        await response.ReadUntilAsync(r => r.Body.Length > 1_400_000, "its beginning");
        Task<RawResponse> end = response.ReadToEndAsync();
        for (int i = 0; goesOn && i < 6; i++)
        {
            await clock.AdvanceAsync(end, TimeSpan.FromSeconds(40));
            turns.Release();
            await Deadline.Until(() => end.IsCompleted || Volatile.Read(ref sent) > i, what: "the next piece");
        }

        await clock.AdvanceAsync(end, TimeSpan.FromMinutes(5));
        Assert.That((await end).End, Is.EqualTo(goesOn ? BodyEnd.Whole : BodyEnd.Unterminated));
        Assert.That((await RecordAsync()).End, Is.EqualTo(goesOn ? "ok" : "upstream_idle_timeout"));
    }

    [Test]
    public async Task Legacy_completions_and_embeddings_pass_too()
    {
        await StartAsync();
        RawResponse legacy = await PostAsync("""{"model":"gpt-4o-mini","prompt":"x"}""", "/v1/completions");
        RawResponse embedding = await PostAsync("""{"model":"gpt-4o-mini","input":["x"]}""", "/v1/embeddings");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(legacy.Text, Is.EqualTo(Chat.LegacyCompletion("Hello there")));
            Assert.That(embedding.Text, Is.EqualTo(Chat.Embedding(base64: false)));
        }
    }

    [Test]
    public async Task A_whole_answer_leaves_the_connection_usable_for_the_next_request()
    {
        await StartAsync();
        RawClient client = await ConnectAsync();
        foreach (string body in (string[])[Chat.Request(), "{", Chat.Request(stream: true), Chat.Request(model: "nope"), Chat.Request()])
        {
            await client.SendAsync(RawClient.Request("POST", ChatPath, Encoding.UTF8.GetBytes(body), Authorization, "Content-Type: application/json"));
            Assert.That((await client.ReadAsync()).End, Is.EqualTo(BodyEnd.Whole));
        }

        ExpectUpstreamRequests(3);
    }
}
