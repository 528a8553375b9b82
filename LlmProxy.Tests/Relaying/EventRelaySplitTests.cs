using System.Text;
using LlmProxy.Core.Relaying;
using LlmProxy.Tests.Protocol;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Relaying;

/// <summary>Wherever reads end, the client gets the same bytes.</summary>
internal sealed class EventRelaySplitTests
{
    private static readonly Random _random = new(20261123);

    [TestCase(false)]
    [TestCase(true)]
    public Task Events_of_10_bytes_cut_everywhere(bool filtered)
    {
        var stream = Encoding.UTF8.GetBytes(Sse.Event(Chat.Delta("a")) + string.Concat(Enumerable.Range(0, 60).Select(i => $"data: {i:00}\n\n")) + End);
        return AssertSameAsync(stream, Enumerable.Range(0, stream.Length + 1), filtered);
    }

    [TestCase(false)]
    [TestCase(true)]
    public Task Events_of_300_bytes_cut_everywhere(bool filtered)
    {
        var stream = Events(300, 6);
        return AssertSameAsync(stream, Enumerable.Range(0, stream.Length + 1), filtered);
    }

    [TestCase(5_000, 1_500, false)]
    [TestCase(5_000, 300, true)]
    [TestCase(70_000, 1_000, false)]
    [TestCase(70_000, 100, true)]
    [TestCase(1_000_000, 40, false)]
    public Task Larger_events_cut_near_their_ends_and_anywhere(int size, int anywhere, bool filtered)
    {
        var stream = Events(size, 3);
        var near = size > 500_000 ? 4 : 64;
        var cuts = Enumerable.Range(1, 3).SelectMany(i => Enumerable.Range((i * size) - near, 2 * near))
            .Concat(Enumerable.Range(0, near)).Concat(Enumerable.Range(stream.Length - near, near))
            .Concat(Enumerable.Range(0, anywhere).Select(_ => _random.Next(stream.Length)));
        return AssertSameAsync(stream, cuts, filtered);
    }

    [TestCase(300, 1)]
    [TestCase(300, 7)]
    [TestCase(5_000, 1)]
    [TestCase(70_000, 100)]
    public async Task Events_in_pieces_of_a_few_bytes(int size, int piece)
    {
        var stream = Events(size, 3);
        using var relay = await MemoryRelay.RunAsync(stream.Chunk(piece).Select(p => (ReadOnlyMemory<byte>)p));
        AssertSame(relay, stream, $"pieces of {piece}");
    }

    [TestCaseSource(typeof(SseSamples), nameof(SseSamples.Names))]
    public async Task Streams_of_every_shape_cut_everywhere_reach_the_client_with_the_same_meaning(string sample)
    {
        byte[] stream = [.. Encoding.UTF8.GetBytes(Sse.Event(Chat.Delta("a"))), .. SseSamples.Bytes(sample)];
        var expected = await PassedAsync(stream);
        for (var cut = 0; cut <= stream.Length; cut++)
        {
            Assert.That(await PassedAsync(stream[..cut], stream[cut..]), Is.EqualTo(expected), $"cut at {cut}");
        }
    }

    [Test]
    public async Task Bytes_that_were_read_before_the_commit_may_end_anywhere()
    {
        var stream = Events(300, 4);
        for (var cut = 0; cut <= stream.Length; cut++)
        {
            using var relay = new MemoryRelay();
            await relay.RunAsync(new FedStream(stream.AsMemory(cut)), stream.AsMemory(0, cut));
            AssertSame(relay, stream, $"{cut} bytes were read before");
        }
    }

    private static string End => Sse.Event(Chat.Finish()) + Sse.Done;

    private static async Task AssertSameAsync(byte[] stream, IEnumerable<int> cuts, bool filtered)
    {
        foreach (var cut in cuts)
        {
            using var relay = new MemoryRelay { Filters = filtered ? [new Onlooker()] : [] };
            await relay.RunAsync(new FedStream(stream.AsMemory(0, cut), stream.AsMemory(cut)));
            AssertSame(relay, stream, $"cut at {cut}");
        }
    }

    private static void AssertSame(MemoryRelay relay, byte[] stream, string what)
    {
        if (relay.Completed is not { Error: null } || !relay.Body.Flushed.SequenceEqual(stream))
        {
            var at = relay.Body.Flushed.CommonPrefixLength(stream);
            Assert.Fail($"{what}: {relay.Completed?.Error?.Code ?? "whole"}, {relay.Body.Flushed.Length} of {stream.Length} bytes, different from {at} on: "
                + Encoding.UTF8.GetString(relay.Body.Flushed[at..Math.Min(at + 80, relay.Body.Flushed.Length)]));
        }
    }

    /// <summary>What a client reads of it: names and data; whether it broke.</summary>
    private static async Task<(string Events, string? Error)> PassedAsync(params byte[][] pieces)
    {
        using var relay = await MemoryRelay.RunAsync(pieces.Where(p => p.Length > 0).Select(p => (ReadOnlyMemory<byte>)p));
        var seen = SseReading.Read(relay.Body.Flushed);
        return (string.Join('|', seen.Events.Where(e => e.Data.Length > 0).Select(e => $"{e.Name}:{e.Data}")), relay.Completed?.Error?.Code);
    }

    private static byte[] Events(int size, int count)
    {
        var stream = new StringBuilder();
        var overhead = Encoding.UTF8.GetByteCount(Sse.Event(Chat.Delta("é🦓\"\n")));
        for (var i = 0; i < count; i++)
        {
            stream.Append(Sse.Event(Chat.Delta("é🦓\"\n" + new string((char)('a' + i), size - overhead))));
        }

        return Encoding.UTF8.GetBytes(stream.Append(End).ToString());
    }

    private sealed class Onlooker : IResponseFilter
    {
        public ValueTask OnEventAsync(LlmResponseEvent responseEvent, CancellationToken cancellationToken) => default;

        public ValueTask OnAnswerAsync(LlmResponseAnswer answer, CancellationToken cancellationToken) => default;
    }
}
