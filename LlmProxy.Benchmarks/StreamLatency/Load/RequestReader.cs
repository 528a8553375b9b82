using System.Buffers.Text;

namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>What a request asks the upstream for.</summary>
/// <param name="Length">Of the whole request, in bytes.</param>
/// <param name="Stream">A stream, else JSON.</param>
/// <param name="Usage">The stream is to end with its usage.</param>
/// <param name="Events">Of the stream.</param>
/// <param name="Interval">Between two of them, in microseconds; 0: all at once.</param>
internal readonly record struct ReadRequest(int Length, bool Stream, bool Usage, int Events, int Interval);

/// <summary>Reads requests as proxies write them, with a length or in chunks. It searches rather than parses: what is asked here is known.</summary>
internal static class RequestReader
{
    /// <returns>False: not all of it is there yet.</returns>
    /// <exception cref="FormatException">This is no request of the client's.</exception>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out ReadRequest request)
    {
        request = default;
        var head = bytes.IndexOf("\r\n\r\n"u8);
        if (head < 0)
        {
            return false;
        }

        var body = bytes[(head + 4)..];
        int length;
        if (TryFindLength(bytes[..(head + 2)], out var announced))
        {
            length = announced;
        }
        else
        {
            // The last chunk of those requests is the only one that is empty, and nothing follows before the answer.
            var end = body.IndexOf("\r\n0\r\n\r\n"u8);
            length = end < 0 ? int.MaxValue : end + 7;
        }

        if (body.Length < length)
        {
            return false;
        }

        request = Understand(head + 4 + length, body[..length]);
        return true;
    }

    private static bool TryFindLength(ReadOnlySpan<byte> head, out int length)
    {
        foreach (var range in head.Split("\r\n"u8))
        {
            var line = head[range];
            if (line.Length > 15 && System.Text.Ascii.EqualsIgnoreCase(line[..15], "Content-Length:"u8))
            {
                return Utf8Parser.TryParse(line[15..].Trim((byte)' '), out length, out _);
            }
        }

        length = 0;
        return false;
    }

    private static ReadRequest Understand(int length, ReadOnlySpan<byte> body)
    {
        var plan = body.IndexOf(Wire.Plan);
        if (plan < 0)
        {
            throw new FormatException("The request has no plan.");
        }

        var text = body[(plan + Wire.Plan.Length)..];
        if (!Utf8Parser.TryParse(text, out int events, out var digits) || !Utf8Parser.TryParse(text[(digits + 1)..], out int interval, out _))
        {
            throw new FormatException("The plan is none.");
        }

        return new ReadRequest(length, body.IndexOf("\"stream\":true"u8) >= 0, body.IndexOf("\"include_usage\":true"u8) >= 0, events, interval);
    }
}
