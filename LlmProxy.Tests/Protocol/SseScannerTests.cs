using System.Diagnostics;
using System.Text;
using CsCheck;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>Wherever reads end, the same events and the same bytes.</summary>
internal sealed class SseScannerTests
{
    private static readonly Gen<byte[]> _streams = Gen.OneOf(
            "data: ", "data:", "data", "event: ", "event", "id: 1", "retry: 1", ":c", ":", "\n", "\n", "\r", "\r\n", "\n\n", "\r\n\r\n", "\r\r",
            "x", "é", "🦓", "\uFEFF", "\0", " ", "{\"a\":1}", "[DONE]", "\\u00e9", "\u2028")
        .Array[0, 30].Select(parts => Encoding.UTF8.GetBytes(string.Concat(parts)));

    [TestCaseSource(typeof(SseSamples), nameof(SseSamples.Names))]
    public void A_stream_cut_at_any_byte_has_the_same_events(string sample)
    {
        var stream = SseSamples.Bytes(sample);
        var whole = SseReading.Read(stream);
        for (var cut = 0; cut <= stream.Length; cut++)
        {
            AssertSame(SseReading.Read(stream, [cut]), whole, $"{sample}, cut at {cut}");
        }
    }

    [TestCaseSource(typeof(SseSamples), nameof(SseSamples.Names))]
    public void A_stream_that_comes_byte_by_byte_has_the_same_events(string sample)
    {
        var stream = SseSamples.Bytes(sample);
        AssertSame(SseReading.Read(stream, Enumerable.Range(0, stream.Length)), SseReading.Read(stream), sample);
    }

    [Test]
    public void Any_stream_cut_anywhere_has_the_same_events() => _streams.SelectMany(
            stream => Gen.Int[0, stream.Length].Array[0, 8], (stream, cuts) => (stream, cuts: (int[])[.. cuts.Order()]))
        .Sample(
            (stream, cuts) =>
            {
                var whole = SseReading.Read(stream);
                var cut = SseReading.Read(stream, cuts);
                return Meaning(cut).SequenceEqual(Meaning(whole)) && cut.AllBytes.SequenceEqual(stream) && whole.AllBytes.SequenceEqual(stream);
            },
            iter: 20_000);

    [Test]
    public void The_lines_of_an_event_are_told_apart()
    {
        var seen = SseReading.Read("event: a\nevent: b\n: c\nid: 1\ndata: one\ndata: two\nfoo: x\n\n: c\n\nfoo: x\n\ndata:\n\n"u8).Events;
        Assert.That(seen, Is.EqualTo(new[]
        {
            new SeenEvent(SseLines.Data | SseLines.MoreData | SseLines.Name | SseLines.Comment | SseLines.Cut, "one", "one\ntwo", "b"),
            new SeenEvent(SseLines.Comment, "", "", ""),
            new SeenEvent(SseLines.None, "", "", ""),
            new SeenEvent(SseLines.Cut, "", "", ""),
        }));
    }

    [Test]
    public void A_blank_line_that_ends_in_CR_ends_its_event_before_the_next_byte_is_here()
    {
        var scanner = new SseScanner();
        Assert.That(scanner.TryRead("data: x\r\n\r"u8, out var first));
        Assert.That(first.Length, Is.EqualTo(10));
        Assert.That(scanner.TryRead("\n"u8, out _), Is.False, "the rest of the line end begins nothing");
        Assert.That(scanner.TryRead("\ndata: y\r\n\r\n"u8, out var second));
        Assert.That(second.Data, Is.EqualTo(new SseRange(7, 1)));
    }

    [Test]
    public void A_growing_event_is_looked_at_once()
    {
        const int Size = 1 << 20;
        var stream = new byte[Size];
        stream.AsSpan().Fill((byte)'x');
        "data: "u8.CopyTo(stream);
        "\n\n"u8.CopyTo(stream.AsSpan(Size - 2));
        var scanner = new SseScanner();
        var started = Stopwatch.GetTimestamp();
        for (var end = 1; end < Size; end++)
        {
            Assume.That(scanner.TryRead(stream.AsSpan(0, end), out _), Is.False);
            if (scanner.Examined != end)
            {
                Assert.Fail($"At {end} bytes only {scanner.Examined} have been looked at: the rest will be looked at again.");
            }
        }

        Assert.That(scanner.TryRead(stream, out var found));
        Assert.That(found.Length, Is.EqualTo(Size));
        Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(TimeSpan.FromSeconds(10)));
    }

    [TestCase("data", true, "")]
    [TestCase("data:", true, "")]
    [TestCase("data: ", true, "")]
    [TestCase("data:  x", true, " x")]
    [TestCase("data:x: y", true, "x: y")]
    [TestCase("dat", false, "")]
    [TestCase("data2: x", false, "")]
    [TestCase(" data: x", false, "")]
    [TestCase("Data: x", false, "")]
    public void A_field_is_its_name_up_to_the_first_colon(string line, bool isField, string value)
    {
        var bytes = Encoding.UTF8.GetBytes(line);
        Assert.That(SseScanner.IsField(bytes, "data"u8, out var range), Is.EqualTo(isField));
        Assert.That(Encoding.UTF8.GetString(range.In(bytes)), Is.EqualTo(value));
    }

    private static void AssertSame(SeenStream seen, SeenStream whole, string what)
    {
        Assert.That(Meaning(seen), Is.EqualTo(Meaning(whole)), what);
        Assert.That(seen.AllBytes, Is.EqualTo(whole.AllBytes), what);
    }

    // The LF of a CRLF that was cut off from its event may be an empty one of its own: it says nothing.
    private static IEnumerable<SeenEvent> Meaning(SeenStream stream) => stream.Events.Where(e => e.Lines != SseLines.None);
}
