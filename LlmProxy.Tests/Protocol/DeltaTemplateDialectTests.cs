using System.Text;
using LlmProxy.Core.Protocol;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>What is recognised without being read is exactly what reading it would have found.</summary>
internal sealed class DeltaTemplateDialectTests
{
    private static readonly string[] s_texts = ["a", " token", "\\\"", "\\\\", "\\\\\\\"", "\\u0041", "", "é🦓", "\\n", "x\\"];

    private static readonly Func<string, int, string, string>[] s_events =
    [
        (text, number, filler) => $"event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{number},\"delta\":\"{text}\",\"obfuscation\":\"{filler}\"}}\n\n",
        (text, number, filler) => $"event: response.output_text.delta\ndata: {{\"obfuscation\":\"{filler}\",\"delta\":\"{text}\",\"type\":\"response.output_text.delta\",\"sequence_number\":{number}}}\n\n",
        (text, number, _) => $"data: {{\"type\":\"response.output_text.delta\",\"delta\":\"{text}\",\"sequence_number\":-{number}}}\n\n",
        (text, _, filler) => $"data: {{\"type\":\"response.output_text.delta\",\"delta\":\"{text}\",\"x\":\"{filler}\"}}\n\n",
        (text, number, _) => $"data: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{number},\"delta\":\"{text}\",\"error\":{{\"message\":\"m\"}}}}\n\n",
        (text, number, _) => $"data: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{number},\"delta\":\"{text}\",\"response\":{{\"id\":\"r\"}}}}\n\n",
        (text, number, _) => $"event: response.completed\ndata: {{\"type\":\"response.completed\",\"sequence_number\":{number},\"delta\":\"{text}\"}}\n\n",
        (text, number, _) => $"data: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{number},\"delta\":\"{text}\"}}\nevent: error\n\n",
        (text, number, _) => $"data: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{number},\"delta\":\"{text}\"}}\ndata: 1\n\n",
        (text, number, _) => $"data: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{number},\"delta\":\"{text}\"}} x\n\n",
    ];

    [Test]
    public void Ten_thousand_events_are_taken_alike_with_and_without_what_was_learned()
    {
        var random = new Random(20261123);
        StreamInspector learning = Dialect.Responses.CreateInspector(WatchedStream.Expectation);
        string shape = "";
        for (int i = 0; i < 10_000; i++)
        {
            // Runs of like events, so that something is learned; an inspector that failed or ended is done with.
            int which = i / 5 % s_events.Length;
            string text = s_events[random.Next(4) == 0 ? random.Next(s_events.Length) : which](Pick(random), random.Next(2_000), Pick(random));
            StreamInspector fresh = Dialect.Responses.CreateInspector(WatchedStream.Expectation);
            (StreamEventKind Kind, string Error) read = Inspect(learning, text);
            Assert.That(read.Kind, Is.EqualTo(Inspect(fresh, text).Kind), text);
            if (text.Contains("\"sequence_number\":", StringComparison.Ordinal) && !text.Contains(":-", StringComparison.Ordinal) && read.Kind == StreamEventKind.Output
                && fresh.Malformed == 0)
            {
                Assert.That(read.Error, Is.EqualTo(Inspect(fresh, text).Error), text);
            }

            shape += read.Kind.ToString()[0];
            if (read.Kind >= StreamEventKind.Done || i % 40 == 0)
            {
                learning = Dialect.Responses.CreateInspector(WatchedStream.Expectation);
            }
        }

        Assert.That(shape.Distinct().Count(), Is.GreaterThanOrEqualTo(3), "events of several kinds were met");
    }

    [Test]
    public void Deltas_of_every_dialect_allocate_nothing_once_one_was_read()
    {
        AssertAllocatesNothing(Dialect.Chat, i => Sse.Event(Chat.Delta("token" + i)));
        AssertAllocatesNothing(Dialect.Chat, i => Sse.Event(Chat.Delta("token" + i)[..^1] + ",\"obfuscation\":\"" + new string('o', i % 16) + "\"}"));
        AssertAllocatesNothing(Dialect.Responses, i => ResponseEvents.Delta("say \"" + i, 1000 + i, new string('o', i % 16)));
        AssertAllocatesNothing(Dialect.Messages, i => MessageEvents.Delta("token\n" + i));
    }

    private static void AssertAllocatesNothing(Dialect dialect, Func<int, string> write)
    {
        StreamInspector inspector = dialect.CreateInspector(WatchedStream.Expectation);
        byte[][] events = [.. Enumerable.Range(1, 200).Select(i => Encoding.UTF8.GetBytes(write(i)))];
        long before = 0;
        for (int i = 0; i < events.Length; i++)
        {
            if (i == 100)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            var scanner = new SseScanner();
            scanner.TryRead(events[i], out SseEvent found);
            inspector.Inspect(events[i], found);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero, dialect.GetType().Name);
    }

    /// <returns>What the event is, and the error event that would follow it, which tells the number.</returns>
    private static (StreamEventKind Kind, string Error) Inspect(StreamInspector inspector, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        var scanner = new SseScanner();
        Assert.That(scanner.TryRead(bytes, out SseEvent found), text);
        StreamEventKind kind = inspector.Inspect(bytes, found);
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        inspector.WriteErrorEvent(ProxyErrors.Reset, "m", "id", output);
        return (kind, Encoding.UTF8.GetString(output.WrittenSpan));
    }

    private static string Pick(Random random) => s_texts[random.Next(s_texts.Length)];
}
