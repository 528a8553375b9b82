using System.Text;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>
/// Wherever the network cuts an upstream's bytes, the client gets the same. The sizes matter: a relay that is right for
/// 15 bytes may corrupt from 300 on, and large events outgrow every buffer.
/// </summary>
public sealed class StreamSplitTests : ProxyFixture
{
    private static readonly Random s_random = new(20261122);

    [Test]
    public async Task A_stream_of_10_byte_events_is_the_same_cut_at_every_offset() =>
        await AssertSameAtAsync(TinyEvents(), bytes => Enumerable.Range(1, bytes - 1));

    [Test]
    public async Task A_stream_of_300_byte_events_is_the_same_cut_at_every_offset() =>
        await AssertSameAtAsync(Events(300), bytes => Enumerable.Range(1, bytes - 1));

    [Test]
    public async Task A_stream_of_5_KB_events_is_the_same_cut_near_event_ends_and_at_random() =>
        await AssertSameAtAsync(Events(5_000), bytes => [.. NearEnds(5_000), .. Anywhere(bytes, 100)]);

    [Test]
    public async Task A_stream_of_70_KB_events_is_the_same_cut_near_event_ends_and_at_random() =>
        await AssertSameAtAsync(Events(70_000), bytes => [.. NearEnds(70_000), .. Anywhere(bytes, 50)]);

    [TestCase(300, TestName = "{m}_of_300_bytes")]
    [TestCase(5_000, TestName = "{m}_of_5_KB")]
    public async Task A_stream_is_the_same_when_every_byte_comes_alone_for_events(int size)
    {
        byte[] stream = Events(size)[..(size * 2)];
        byte[] whole = [.. stream[..(stream.AsSpan().LastIndexOf("\n\n"u8) + 2)], .. Encoding.UTF8.GetBytes(Sse.Event(Chat.Finish()) + Sse.Done)];
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            for (int i = 0; i < whole.Length; i++)
            {
                await exchange.ChunkAsync(whole.AsMemory(i, 1));
            }

            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        AssertSame(response, whole, "every byte alone");
    }

    [Test]
    public async Task Many_events_in_one_read_and_the_start_of_the_next_arrive_at_once()
    {
        string events = string.Concat(Enumerable.Range(0, 200).Select(i => Sse.Event(Chat.Delta($"word {i} "))));
        string rest = Sse.Event(Chat.Finish()) + Sse.Done;
        var gate = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(events + rest[..20]);
            await exchange.PauseAsync(gate.Task);
            await exchange.ChunkAsync(rest[20..]);
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(Chat.Request(stream: true))).ReadHeadAsync();
        await response.ReadUntilAsync("word 199 ");
        Assert.That(response.Text, Is.EqualTo(events), "whole events only, while the next is incomplete");
        gate.SetResult();
        AssertSame(await response.ReadToEndAsync(), Encoding.UTF8.GetBytes(events + rest), "the rest");
    }

    /// <summary>One stream for each place, its bytes in two pieces that the proxy reads separately.</summary>
    private async Task AssertSameAtAsync(byte[] stream, Func<int, IEnumerable<int>> cuts)
    {
        int at = 0;
        Upstream.Otherwise(async exchange =>
        {
            int cut = Volatile.Read(ref at);
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(stream.AsMemory(0, cut));
            await exchange.TakenAsync();
            await exchange.ChunkAsync(stream.AsMemory(cut));
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawClient client = await ConnectAsync();
        byte[] request = RawClient.Request("POST", ChatPath, Encoding.UTF8.GetBytes(Chat.Request(stream: true)), Authorization, "Content-Type: application/json");
        foreach (int cut in cuts(stream.Length))
        {
            Volatile.Write(ref at, cut);
            await client.SendAsync(request);
            AssertSame(await client.ReadAsync(), stream, $"cut at {cut}");
        }
    }

    private static void AssertSame(RawResponse response, byte[] expected, string what)
    {
        if (response.End != BodyEnd.Whole || !response.Body.Span.SequenceEqual(expected))
        {
            int differs = response.Body.Span.CommonPrefixLength(expected);
            Assert.Fail($"{what}: status {response.Status}, {response.End}, {response.Body.Length} of {expected.Length} bytes, different from {differs} on: "
                + Encoding.UTF8.GetString(response.Body.Span[differs..Math.Min(response.Body.Length, differs + 80)]));
        }
    }

    /// <summary>Comments and unknown short events of about 10 bytes between two real ones.</summary>
    private static byte[] TinyEvents() => Encoding.UTF8.GetBytes(
        Sse.Event(Chat.Delta("a")) + string.Concat(Enumerable.Range(0, 40).Select(i => $"data: {i:00}\n\n")) + Sse.Event(Chat.Finish()) + Sse.Done);

    /// <summary>Four events of exactly so many bytes, with text of one to four bytes per character, then the end.</summary>
    private static byte[] Events(int size)
    {
        var stream = new StringBuilder();
        for (int i = 0; i < 4; i++)
        {
            int overhead = Encoding.UTF8.GetByteCount(Sse.Event(Chat.Delta("é🦓")));
            stream.Append(Sse.Event(Chat.Delta("PLACE").Replace(
                "PLACE", "é🦓" + new string((char)('a' + i), size - overhead), StringComparison.Ordinal)));
        }

        return Encoding.UTF8.GetBytes(stream.Append(Sse.Event(Chat.Finish())).Append(Sse.Done).ToString());
    }

    private static IEnumerable<int> NearEnds(int size) =>
        Enumerable.Range(1, 4).SelectMany(i => Enumerable.Range((i * size) - 4, 12));

    private static IEnumerable<int> Anywhere(int bytes, int count) => Enumerable.Range(0, count).Select(_ => s_random.Next(1, bytes));
}
