using System.Text;
using CsCheck;
using LlmProxy.Core.Protocol;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>An event that is like the one before it is taken without a search for its end: what is found is what the search would have found.</summary>
internal sealed class LikeEventTests
{
    private static readonly string[] _lineEnds = ["\n", "\r\n", "\r"];

    private static readonly Func<int, string, string>[] _chat =
    [
        static (_, token) => $"data: {Chat.Delta(token)}\n\n",
        static (_, token) => $"event: chunk\ndata: {Chat.Delta(token)}\n\n",
        static (_, token) => $"data: {Chat.Delta(token)}\nevent: chunk\n\n",
        static (_, token) => $"\ndata: {Chat.Delta(token)}\n\n",
        static (_, token) => $"data: {Chat.Delta(token)}\nid: 7\n\n",
        static (_, token) => $": comment\ndata: {Chat.Delta(token)}\n\n",
        static (_, _) => "\n",
        static (_, _) => ": ping\n\n",
        static (_, _) => $"data: {Chat.Finish("stop")}\n\n",
        static (_, _) => "data: [DONE]\n\n",
    ];

    private static readonly Func<int, string, string>[] _responses =
    [
        static (number, token) => $"event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{number},\"delta\":\"{token}\",\"obfuscation\":\"q\"}}\n\n",
        static (number, token) => $"data: {{\"type\":\"response.output_text.delta\",\"delta\":\"{token}\",\"sequence_number\":{number}}}\nevent: response.output_text.delta\n\n",
        static (number, token) => $"data: {{\"type\":\"response.output_text.delta\",\"delta\":\"{token}\",\"sequence_number\":{number}}}\nevent: error\n\n",
        static (_, _) => ": ping\n\n",
        static (_, _) => "\n",
    ];

    private static readonly Gen<(int Shape, int LineEnd, string Token, int Number)> _event =
        Gen.Select(Gen.Int[0, 40], Gen.Int[0, 8], Gen.OneOf("a", " the", "é", "\\n", "\\\"", "", "\\r\\n", "\\u000a", "x\\"), Gen.Int[0, 2000]);

    private static readonly Gen<(string Stream, int[] Cuts)> _chatStreams = Streams(_chat);
    private static readonly Gen<(string Stream, int[] Cuts)> _responsesStreams = Streams(_responses);

    [Test]
    public void Chat_streams_with_any_line_ends_in_any_pieces_are_taken_alike() => AssertAlike(_chatStreams, Dialect.Chat);

    [Test]
    public void Streams_of_named_events_with_any_line_ends_in_any_pieces_are_taken_alike() => AssertAlike(_responsesStreams, Dialect.Responses);

    [Test]
    public void All_but_the_first_of_like_events_are_taken_so()
    {
        var stream = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 10).Select(static i => Sse.Event(Chat.Delta("token" + i)))));
        Assert.That(Walk(Dialect.Chat, stream, [stream.Length], isShort: true).Skipped, Is.EqualTo(9));
    }

    [Test]
    public void A_line_feed_behind_a_carriage_return_is_not_taken_for_an_event_of_its_own()
    {
        var first = Encoding.UTF8.GetBytes(Sse.Event(Chat.Delta("a")).Replace("\n", "\r\n", StringComparison.Ordinal));
        byte[] stream = [.. first, .. first, .. first];
        foreach (var cut in Enumerable.Range(1, stream.Length))
        {
            Assert.That(Walk(Dialect.Chat, stream, [cut, stream.Length], isShort: true).Text, Is.EqualTo(Walk(Dialect.Chat, stream, [cut, stream.Length], isShort: false).Text), $"cut at {cut}");
        }
    }

    [Test]
    public void A_line_feed_that_belonged_to_the_event_before_is_a_blank_line_the_next_time()
    {
        var plain = Sse.Event(Chat.Delta("a"));
        var stream = Encoding.UTF8.GetBytes($"data: {Chat.Role(0)}\r\r\n{plain}\n{plain}");
        int[] ends = [stream.Length - (2 * plain.Length) - 2, stream.Length];
        Assert.That(Walk(Dialect.Chat, stream, ends, isShort: true).Text, Is.EqualTo(Walk(Dialect.Chat, stream, ends, isShort: false).Text));
    }

    private static Gen<(string Stream, int[] Cuts)> Streams(Func<int, string, string>[] shapes) =>
        Gen.Select(_event.Array[2, 10], Gen.Int[0, 4000].Array[0, 4]).Select((events, cuts) =>
            // Runs of like events: most are of the first two shapes, with line feeds.
            (string.Concat(events.Select(e => shapes[e.Shape < shapes.Length ? e.Shape : e.Shape % 2](e.Number, e.Token)
                .Replace("\n", _lineEnds[Math.Max(0, e.LineEnd - 6)], StringComparison.Ordinal))), cuts));

    private static void AssertAlike(Gen<(string Stream, int[] Cuts)> streams, Dialect dialect)
    {
        var skipped = 0;
        streams.Sample(
            sample =>
            {
                var stream = Encoding.UTF8.GetBytes(sample.Stream);
                int[] ends = [.. sample.Cuts.Select(cut => cut % (stream.Length + 1)).Order(), stream.Length];
                var quick = Walk(dialect, stream, ends, isShort: true);
                Interlocked.Add(ref skipped, quick.Skipped);
                return quick.Text == Walk(dialect, stream, ends, isShort: false).Text;
            },
            iter: 20_000,
            print: static sample => $"{sample.Stream.ReplaceLineEndings("|")} {string.Join(',', sample.Cuts)}");
        Assert.That(skipped, Is.GreaterThan(10_000), "events taken the short way");
    }

    /// <summary>As the relay goes over bytes that come in pieces.</summary>
    /// <returns>Every event's place and meaning and what the inspector knows at the end, and how many were not searched for.</returns>
    private static (string Text, int Skipped) Walk(Dialect dialect, byte[] stream, int[] ends, bool isShort)
    {
        var inspector = dialect.CreateInspector(WatchedStream.Expectation);
        var scanner = default(SseScanner);
        var text = new StringBuilder();
        int position = 0, skipped = 0;
        foreach (var end in ends)
        {
            while (position < end)
            {
                var rest = stream.AsSpan(position..end);
                if (isShort && scanner.IsBetweenEvents && inspector.InspectLike(rest) is > 0 and var length)
                {
                    skipped++;
                    position += length;
                    text.Append($"{position} {StreamEventKind.Output} {inspector.Replacements} {inspector.IsOurs}\n");
                }
                else if (scanner.TryRead(rest, out var found))
                {
                    var kind = inspector.Inspect(rest[..found.Length], found);
                    position += found.Length;
                    text.Append($"{position} {kind} {inspector.Replacements} {inspector.IsOurs}\n");
                    if (kind >= StreamEventKind.Done)
                    {
                        return (text.ToString(), skipped);
                    }
                }
                else
                {
                    break;
                }
            }
        }

        return ($"{text}{inspector.TextBytes} {inspector.HasOutput} {inspector.Malformed} {inspector.IsFinished} {inspector.Usage}", skipped);
    }
}
