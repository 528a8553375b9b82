using System.Text;
using CsCheck;
using LlmProxy.Core.Protocol;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>The short way decides as the long one does, whatever bytes come.</summary>
internal sealed class DeltaTemplateTests
{
    private static readonly Gen<string> _tokens = Gen.OneOf(
        "a", " the", "é", "🦓", "\"", "\\", "\n", "\t", "", "\u2028", "{\"error\":1}", "[DONE]", "\",\"finish_reason\":\"stop", "\"}}],\"error\":{\"message\":\"x");

    private static readonly Gen<string> _events = Gen.Select(Gen.Int[0, 11], _tokens, Gen.Int[0, 2]).Select((shape, token, choice) => Sse.Event(shape switch
    {
        0 => Chat.Role(choice),
        1 => Chat.Finish("stop", choice),
        2 => Chat.LegacyDelta(token),
        3 => Chat.Delta(token, choice).Replace("content", "reasoning_content", StringComparison.Ordinal),
        4 => Chat.Delta(token, choice)[..^1] + ",\"obfuscation\":\"" + token.Length + "\"}",
        5 => Chat.Delta(token, choice).Replace("\n", "\r\n", StringComparison.Ordinal),
        6 => Chat.Usage(),
        7 => Chat.LegacyDelta(token, "eos_token"),
        8 => Chat.Delta(token).Replace("{\"content", "{\"reasoning\":\"r\",\"content", StringComparison.Ordinal),
        _ => Chat.Delta(token),
    }));

    private static readonly Gen<byte[]> _streams = Gen.Select(_events.Array[2, 12], Gen.Select(Gen.Int, Gen.Int, Gen.Int[0, 4], Gen.OneOf("\"\\{}[],:ndu0 ea\0\u001f\n\r".ToCharArray())).Array[0, 3])
        .Select((events, mutations) =>
        {
            var bytes = Encoding.UTF8.GetBytes(string.Concat(events)).ToList();
            foreach (var (at, other, how, to) in mutations)
            {
                Mutate(bytes, (int)((uint)at % bytes.Count), (int)((uint)other % bytes.Count), how, (byte)to);
            }

            return bytes.ToArray();
        });

    [Test]
    public void On_any_stream_with_any_bytes_changed_every_decision_is_that_of_a_full_reading() => _streams.Sample(
        stream =>
        {
            var quick = new CompletionInspector(Inspected.Expectation(choices: 2));
            var full = new CompletionInspector(Inspected.Expectation(choices: 2));
            foreach (var (raw, found) in SseReading.Events(stream))
            {
                if (quick.Inspect(raw, found) != Inspected.InspectInFull(full, raw, found) || Inspected.StateOf(quick) != Inspected.StateOf(full))
                {
                    return false;
                }
            }

            return true;
        },
        iter: 30_000,
        print: stream => Encoding.UTF8.GetString(stream));

    [Test]
    public void One_byte_of_a_second_event_changed_to_any_other_is_decided_as_in_full()
    {
        var first = Encoding.UTF8.GetBytes(Sse.Event("""{"model":"m","choices":[{"index":0,"delta":{"content":"ab"},"finish_reason":null}]}"""));
        var expectation = Inspected.Expectation();
        for (var at = 0; at < first.Length; at++)
        {
            for (var to = 0; to < 256; to++)
            {
                var second = (byte[])first.Clone();
                second[at] = (byte)to;
                var quick = new CompletionInspector(expectation);
                var full = new CompletionInspector(expectation);
                foreach (var (raw, found) in SseReading.Events([.. first, .. second]))
                {
                    Assert.That(quick.Inspect(raw, found), Is.EqualTo(Inspected.InspectInFull(full, raw, found)), $"byte {at} is {to}");
                }

                Assert.That(Inspected.StateOf(quick), Is.EqualTo(Inspected.StateOf(full)), $"byte {at} is {to}");
            }
        }
    }

    [TestCase("x", true)]
    [TestCase("\\n", true)]
    [TestCase("\\\"", true)]
    [TestCase("\\\\", true)]
    [TestCase("\\\\\\\"", true)]
    [TestCase("\\u00e9é", true)]
    [TestCase("\\/\\b\\f\\r\\t", true)]
    [TestCase("", false)]
    [TestCase("\"", false)]
    [TestCase("\\", false)]
    [TestCase("x\\", false)]
    [TestCase("\\\\\"", false)]
    [TestCase("\",\"x\":\"y", false)]
    [TestCase("\\x", false)]
    [TestCase("\\u12", false)]
    [TestCase("\\u12G4", false)]
    [TestCase("\t", false)]
    [TestCase("\0", false)]
    public void It_takes_the_inside_of_a_JSON_string_and_nothing_else(string inside, bool matches)
    {
        var template = new DeltaTemplate();
        var (learned, found) = EventWith("learned");
        template.Learn(learned, found, new DeltaValues(ValueIn(learned, "learned")));
        var (raw, seen) = EventWith(inside);
        Assert.That(template.Matches(raw, seen, out _), Is.EqualTo(matches));
    }

    [Test]
    public void It_gives_up_where_events_are_never_alike_and_on_long_ones()
    {
        var template = new DeltaTemplate();
        for (var i = 0; i < 20; i++)
        {
            var (raw, found) = EventWith("x", $"""{i:00}""");
            Assert.That(template.Matches(raw, found, out _), Is.False);
            template.Learn(raw, found, new DeltaValues(ValueIn(raw, "x")));
        }

        var (last, seen) = EventWith("y", "19");
        Assert.That(template.Matches(last, seen, out _), Is.False);

        template = new DeltaTemplate();
        var (longer, longFound) = EventWith("x", new string('i', 2000));
        template.Learn(longer, longFound, new DeltaValues(ValueIn(longer, "x")));
        Assert.That(template.Matches(longer, longFound, out _), Is.False);
    }

    [Test]
    public void It_needs_the_same_lines_around_it()
    {
        var template = new DeltaTemplate();
        var (learned, found) = EventWith("x");
        template.Learn(learned, found, new DeltaValues(ValueIn(learned, "x")));
        foreach (var other in new[] { ": c\n", "event: n\n", "id: 1\n", "\n", "foo: x\n" })
        {
            var (raw, seen) = SseReading.Events([.. Encoding.UTF8.GetBytes(other), .. learned]).Last();
            Assert.That(template.Matches(raw, seen, out _), Is.EqualTo(other == "\n"), other);
        }
    }

    private static (byte[] Raw, SseEvent Found) EventWith(string inside, string id = "c") => SseReading.Events(
        Encoding.UTF8.GetBytes($"data: {{\"id\":\"{id}\",\"choices\":[{{\"delta\":{{\"content\":\"{inside}\"}}}}]}}\n\n")).Single();

    private static SseRange ValueIn(byte[] raw, string inside) =>
        new(raw.AsSpan().IndexOf(Encoding.UTF8.GetBytes($"\"{inside}\"")), inside.Length + 2);

    private static void Mutate(List<byte> bytes, int at, int other, int how, byte to)
    {
        switch (how)
        {
            case 0:
                bytes[at] = to;
                break;
            case 1:
                bytes.Insert(at, to);
                break;
            case 2 when bytes.Count > 1:
                bytes.RemoveAt(at);
                break;
            case 3:
                bytes.InsertRange(at, bytes.GetRange(other, Math.Min(20, bytes.Count - other)));
                break;
            default:
                bytes[at] = (byte)(bytes[at] ^ 0x80);
                break;
        }
    }
}
