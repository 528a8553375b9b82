using System.Buffers;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Relaying;

/// <summary>Writes an event that does not go out as it came: lines cut out, or values put in.</summary>
internal static class EventChange
{
    public static void Write(ReadOnlySpan<byte> raw, in SseEvent found, StreamInspector inspector, ClientStream client)
    {
        var output = new ArrayBufferWriter<byte>(raw.Length + 256);
        Write(raw, found, inspector, output);
        client.Write(output.WrittenSpan);
    }

    public static void Write(ReadOnlySpan<byte> raw, in SseEvent found, StreamInspector inspector, ArrayBufferWriter<byte> output)
    {
        if (inspector.Replacements == 0)
        {
            SseText.WriteCut(found.LinesOf(raw), output);
            return;
        }

        if (!found.MustBeCut)
        {
            WriteReplaced(raw, inspector, output);
            return;
        }

        var replaced = new ArrayBufferWriter<byte>(raw.Length + 256);
        WriteReplaced(raw, inspector, replaced);
        SseText.WriteCut(found.LinesOf(replaced.WrittenSpan), output);
    }

    private static void WriteReplaced(ReadOnlySpan<byte> raw, StreamInspector inspector, ArrayBufferWriter<byte> output)
    {
        var position = 0;
        for (var i = 0; i < inspector.Replacements; i++)
        {
            var replacement = inspector.ReplacementAt(i);
            output.Write(raw[position..replacement.Range.Start]);
            output.Write(replacement.With.Span);
            position = replacement.Range.End;
        }

        output.Write(raw[position..]);
    }
}
