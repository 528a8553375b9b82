using System.Buffers;

namespace LlmProxy.Core.Protocol;

/// <summary>Makes event text where an event cannot go out as it came. All of it is off the common path.</summary>
internal static class SseText
{
    public static ReadOnlySpan<byte> Done => "data: [DONE]\n\n"u8;

    /// <summary>A comment and one newline: a client that takes an event apart at blank lines loses nothing by it.</summary>
    public static ReadOnlySpan<byte> Heartbeat => ": keep-alive\n"u8;

    /// <summary>Writes an event without the lines that must not reach a client; nothing at all if no other line is left.</summary>
    /// <param name="raw">Without a byte order mark (<see cref="SseEvent.LinesOf"/>).</param>
    /// <param name="output">Gets what is left.</param>
    public static void WriteCut(ReadOnlySpan<byte> raw, IBufferWriter<byte> output)
    {
        if (raw is [(byte)'\n', _, ..])
        {
            // The rest of the CRLF that ended the event before: without it that one would end differently from all others.
            output.Write("\n"u8);
            raw = raw[1..];
        }

        var kept = false;
        var endedInCarriageReturn = false;
        while (!raw.IsEmpty)
        {
            var line = TakeLine(ref raw, out var content);
            if (content.IsEmpty)
            {
                if (kept)
                {
                    // A CR and the LF of what were two lines would now be the end of one, and the event without its own.
                    output.Write(endedInCarriageReturn ? "\r"u8 : line);
                }
            }
            else if (!IsCut(content))
            {
                output.Write(line);
                kept = true;
                endedInCarriageReturn = line[^1] == (byte)'\r';
            }
        }
    }

    /// <summary>"Append the field value to the data buffer, then append a single U+000A": the data of all its lines.</summary>
    /// <param name="raw">Without a byte order mark (<see cref="SseEvent.LinesOf"/>).</param>
    /// <param name="output">Gets the data.</param>
    public static void WriteJoinedData(ReadOnlySpan<byte> raw, IBufferWriter<byte> output)
    {
        var first = true;
        while (!raw.IsEmpty)
        {
            TakeLine(ref raw, out var content);
            if (SseScanner.IsField(content, "data"u8, out var value))
            {
                if (!first)
                {
                    output.Write("\n"u8);
                }

                output.Write(value.In(content));
                first = false;
            }
        }
    }

    /// <summary>Where a part of the joined data stands in the event. One that spans lines takes all between them along.</summary>
    /// <param name="raw">Without a byte order mark (<see cref="SseEvent.LinesOf"/>).</param>
    /// <param name="joined">In what <see cref="WriteJoinedData"/> wrote; not empty.</param>
    public static SseRange FindJoined(ReadOnlySpan<byte> raw, SseRange joined)
    {
        var rest = raw;
        var (start, position) = (-1, 0);
        while (!rest.IsEmpty)
        {
            var lineStart = raw.Length - rest.Length;
            TakeLine(ref rest, out var content);
            if (!SseScanner.IsField(content, "data"u8, out var value))
            {
                continue;
            }

            // The newline behind the value is its own in the joined data.
            var inLine = lineStart + value.Start - position;
            start = start < 0 && joined.Start <= position + value.Length ? inLine + joined.Start : start;
            if (start >= 0 && joined.End <= position + value.Length)
            {
                return new SseRange(start, inLine + joined.End - start);
            }

            position += value.Length + 1;
        }

        throw new ArgumentOutOfRangeException(nameof(joined), joined, "No part of the data.");
    }

    /// <summary>Writes an event with other data and, where it had one, its name. Empty lines are left out, as clients throw on them.</summary>
    public static void WriteData(ReadOnlySpan<byte> name, ReadOnlySpan<byte> data, IBufferWriter<byte> output)
    {
        data = data.TrimStart("\r\n"u8);
        if (data.IsEmpty)
        {
            return;
        }

        if (!name.IsEmpty)
        {
            output.Write("event: "u8);
            output.Write(name);
            output.Write("\n"u8);
        }

        while (!data.IsEmpty)
        {
            var end = data.IndexOfAny((byte)'\n', (byte)'\r');
            var line = end < 0 ? data : data[..end];
            output.Write("data: "u8);
            output.Write(line);
            output.Write("\n"u8);
            data = data[line.Length..].TrimStart("\r\n"u8);
        }

        output.Write("\n"u8);
    }

    private static bool IsCut(ReadOnlySpan<byte> line) =>
        line.StartsWith(SseScanner.Mark)
        || SseScanner.IsField(line, "id"u8, out _)
        || SseScanner.IsField(line, "retry"u8, out _)
        || (SseScanner.IsField(line, "data"u8, out var value) && value.Length == 0);

    private static ReadOnlySpan<byte> TakeLine(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> content)
    {
        var end = rest.IndexOfAny((byte)'\n', (byte)'\r');
        if (end < 0)
        {
            content = rest;
            var all = rest;
            rest = default;
            return all;
        }

        var length = end + 1;
        if (rest[end] == (byte)'\r' && length < rest.Length && rest[length] == (byte)'\n')
        {
            length++;
        }

        content = rest[..end];
        var line = rest[..length];
        rest = rest[length..];
        return line;
    }
}
