using System.Buffers;
using System.Text;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Tests.Protocol;

/// <summary>One event as the scanner saw it, with its offsets turned into text.</summary>
internal readonly record struct SeenEvent(SseLines Lines, string FirstData, string Data, string Name);

/// <summary>What the scanner made of a stream: its events, their bytes one behind the other, and what was left over.</summary>
internal sealed record SeenStream(IReadOnlyList<SeenEvent> Events, byte[] Passed, byte[] Rest)
{
    public byte[] AllBytes => [.. Passed, .. Rest];
}

/// <summary>Feeds a scanner as a relay does: what is no whole event yet is kept and shown again with more behind it.</summary>
internal static class SseReading
{
    public static SeenStream Read(ReadOnlySpan<byte> stream) => Read(stream, []);

    /// <param name="stream">All bytes.</param>
    /// <param name="cuts">Where a read ends, ascending.</param>
    public static SeenStream Read(ReadOnlySpan<byte> stream, IEnumerable<int> cuts)
    {
        var scanner = new SseScanner();
        var events = new List<SeenEvent>();
        var passed = 0;
        foreach (var end in cuts.Append(stream.Length))
        {
            while (scanner.TryRead(stream[passed..end], out var found))
            {
                events.Add(See(stream.Slice(passed, found.Length), found));
                passed += found.Length;
            }
        }

        return new SeenStream(events, stream[..passed].ToArray(), stream[passed..].ToArray());
    }

    /// <summary>Every event of a stream with all of its bytes.</summary>
    public static List<(byte[] Raw, SseEvent Found)> Events(ReadOnlySpan<byte> stream)
    {
        var scanner = new SseScanner();
        var events = new List<(byte[], SseEvent)>();
        while (scanner.TryRead(stream, out var found))
        {
            events.Add((stream[..found.Length].ToArray(), found));
            stream = stream[found.Length..];
        }

        return events;
    }

    public static string Written(Action<IBufferWriter<byte>> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private static SeenEvent See(ReadOnlySpan<byte> raw, in SseEvent found)
    {
        var joined = new ArrayBufferWriter<byte>();
        SseText.WriteJoinedData(found.LinesOf(raw), joined);
        return new SeenEvent(
            found.Lines,
            Encoding.UTF8.GetString(found.Data.In(raw)),
            Encoding.UTF8.GetString(joined.WrittenSpan),
            Encoding.UTF8.GetString(found.Name.In(raw)));
    }
}
