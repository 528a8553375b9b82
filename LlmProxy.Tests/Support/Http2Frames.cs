using System.Buffers.Binary;
using System.Text;

namespace LlmProxy.Tests.Support;

/// <summary>How a stream of HTTP/2 went, as its frames say.</summary>
/// <param name="Data">The payload of its DATA frames up to its end.</param>
/// <param name="EndedClean">A frame carried END_STREAM.</param>
/// <param name="Reset">The code of its RST_STREAM.</param>
public sealed record Http2Answer(string Data, bool EndedClean, int? Reset);

/// <summary>Reads frames from all that a client received on one connection (RFC 9113, section 4.1).</summary>
public sealed class Http2Frames
{
    private const int HeadLength = 9;
    private const int DataType = 0;
    private const int HeadersType = 1;
    private const int ResetType = 3;
    private const int EndStream = 1;

    private readonly MemoryStream _received = new();
    private readonly Lock _lock = new();

    public void Take(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            _received.Write(bytes);
        }
    }

    /// <summary>The streams that clients opened, in order.</summary>
    public IReadOnlyList<Http2Answer> Streams()
    {
        byte[] all;
        lock (_lock)
        {
            all = _received.ToArray();
        }

        var streams = new SortedDictionary<int, Http2Answer>();
        for (ReadOnlySpan<byte> rest = all; TryReadLength(rest, out int length); rest = rest[(HeadLength + length)..])
        {
            int id = BinaryPrimitives.ReadInt32BigEndian(rest[5..]) & int.MaxValue;
            if (id > 0)
            {
                Http2Answer before = streams.GetValueOrDefault(id) ?? new Http2Answer("", false, null);
                streams[id] = Add(before, type: rest[3], flags: rest[4], rest.Slice(HeadLength, length));
            }
        }

        return [.. streams.Values];
    }

    private static Http2Answer Add(Http2Answer stream, int type, int flags, ReadOnlySpan<byte> payload) => type switch
    {
        DataType => stream with { Data = stream.Data + Encoding.UTF8.GetString(payload), EndedClean = stream.EndedClean || (flags & EndStream) != 0 },
        HeadersType => stream with { EndedClean = stream.EndedClean || (flags & EndStream) != 0 },
        ResetType => stream with { Reset = BinaryPrimitives.ReadInt32BigEndian(payload) },
        _ => stream,
    };

    private static bool TryReadLength(ReadOnlySpan<byte> bytes, out int length)
    {
        length = bytes.Length < HeadLength ? 0 : (bytes[0] << 16) | (bytes[1] << 8) | bytes[2];
        return bytes.Length >= HeadLength + length && bytes.Length >= HeadLength;
    }
}
