using System.Net.ServerSentEvents;
using System.Text;
using CsCheck;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>The platform's own parser, which OpenAI's client reads with, is the judge of names and data.</summary>
internal sealed class SseDifferentialTests
{
    private static readonly Gen<byte[]> _streams = Gen.OneOf(
            "data: a\n", "data:b\r\n", "data: c\r", "data\n", "data:\n", "event: n\n", "event: m\r\n", "event\n", "id: 1\n", "retry: 9\n", ": c\n", "foo: x\n",
            "\n", "\n", "\r\n", "\r", "data: é🦓\n", "data: {\"a\":\"\\u00e9\"}\r\n", "data:  d\n", "x\n")
        .Array[0, 24].Select(lines => Encoding.UTF8.GetBytes(string.Concat(lines)));

    [TestCaseSource(typeof(SseSamples), nameof(SseSamples.Names))]
    public void Names_and_data_are_those_of_the_platforms_parser(string sample) =>
        Assert.That(Ours(SseSamples.Bytes(sample)), Is.EqualTo(Theirs(SseSamples.Bytes(sample))));

    [Test]
    public void Names_and_data_of_any_stream_are_those_of_the_platforms_parser() =>
        _streams.Sample(
            stream => HasNameWithoutData(stream)
                ? Ours(stream).Select(e => e.Data).SequenceEqual(Theirs(stream).Select(e => e.Data))
                : Ours(stream).SequenceEqual(Theirs(stream)),
            iter: 10_000,
            print: Printed);

    [TestCaseSource(typeof(SseSamples), nameof(SseSamples.Names))]
    public void An_event_whose_lines_were_cut_out_says_the_same(string sample)
    {
        var stream = SseSamples.Bytes(sample);
        var cut = Encoding.UTF8.GetBytes(CutAll(stream));
        Assert.That(WithoutEmptyLines(Theirs(cut)), Is.EqualTo(WithoutEmptyLines(Theirs(stream))));
        Assert.That(SseReading.Read(cut).Events.Where(e => (e.Lines & SseLines.Cut) != 0), Is.Empty);
    }

    [Test]
    public void Any_event_whose_lines_were_cut_out_says_the_same_and_has_none_of_them() => _streams.Sample(
        stream =>
        {
            var cut = Encoding.UTF8.GetBytes(CutAll(stream));
            return WithoutEmptyLines(Ours(cut)).SequenceEqual(WithoutEmptyLines(Ours(stream)))
                && SseReading.Read(cut).Events.All(e => (e.Lines & SseLines.Cut) == 0);
        },
        iter: 10_000,
        print: Printed);

    [Test]
    public void Data_written_as_an_event_is_read_back() => Gen.OneOf("a", "{", "}", "\n", "\r\n", "\r", " ", "é🦓", ":", "data: ", "\0").Array[0, 12]
        .Sample(
            parts =>
            {
                var data = string.Concat(parts);
                var written = Encoding.UTF8.GetBytes(SseReading.Written(o => SseText.WriteData("n"u8, Encoding.UTF8.GetBytes(data), o)));
                var lines = data.Split(["\r\n", "\n", "\r"], StringSplitOptions.RemoveEmptyEntries);
                var expected = lines.Length == 0 ? [] : new[] { ("n", string.Join('\n', lines)) };
                return Theirs(written).SequenceEqual(expected) && SseReading.Read(written).Events.All(e => (e.Lines & SseLines.Cut) == 0);
            },
            iter: 5_000);

    // "If the data buffer is an empty string, set the event type buffer to the empty string and return": theirs keeps the name.
    private static bool HasNameWithoutData(byte[] stream) =>
        SseReading.Read(stream).Events.Any(e => (e.Lines & (SseLines.Name | SseLines.Data)) == SseLines.Name);

    private static List<(string Name, string Data)> Ours(byte[] stream) =>
        [.. SseReading.Read(stream).Events.Where(e => (e.Lines & SseLines.Data) != 0).Select(e => (e.Name.Length == 0 ? "message" : e.Name, e.Data))];

    /// <summary>Events without any data, or with empty lines only, left out: they are not passed.</summary>
    private static List<(string Name, string Data)> Theirs(byte[] stream)
    {
        var parser = SseParser.Create(new MemoryStream(stream), static (type, data) => Encoding.UTF8.GetString(data));
        return [.. parser.Enumerate().Select(e => (e.EventType.Length == 0 ? "message" : e.EventType, e.Data)).Where(e => e.Data.Trim('\n').Length > 0)];
    }

    private static List<(string, string)> WithoutEmptyLines(List<(string Name, string Data)> events) =>
        [.. events.Select(e => (e.Name, string.Join('\n', e.Data.Split('\n', StringSplitOptions.RemoveEmptyEntries))))];

    private static string Printed(byte[] stream) => System.Text.Json.JsonSerializer.Serialize(Encoding.UTF8.GetString(stream));

    private static string CutAll(byte[] stream) => SseReading.Written(output =>
    {
        foreach (var (raw, found) in SseReading.Events(stream))
        {
            SseText.WriteCut(found.LinesOf(raw), output);
        }
    });
}
