namespace LlmProxy.Core.Forwarding;

/// <summary>
/// Follows the chunks of an answer over all that is read of its connection, to know that its end has not come yet. It takes no byte
/// and judges nothing: the HTTP client reads the same, and whatever is not plainly what it should be is left to it alone.
/// </summary>
internal struct ChunkCourse
{
    private const long Lost = -1;
    private const long BeforeHead = -2;
    private const int EndLength = 2;
    private const int MostDigits = 8;

    /// <summary>Bytes of the chunk that are still to come, its CRLF included; negative: no chunks are followed.</summary>
    private long _left;

    public ChunkCourse() => _left = Lost;

    /// <summary>Something is read next of which it matters what it is.</summary>
    public readonly bool IsFollowing => _left != Lost;

    /// <summary>
    /// The answer goes on: its last chunk is among the bytes that have not been read of its connection. Not told where the CRLF of a
    /// chunk is all that has to come, for it is nothing to wait for.
    /// </summary>
    public readonly bool IsInside => Volatile.Read(in _left) is 0 or > EndLength;

    /// <summary>A request is being sent: an answer comes next. What comes within one is none: that came before all of the request was sent.</summary>
    public void Expect() => _left = _left >= 0 ? Lost : BeforeHead;

    /// <summary>Nothing is known until the next answer.</summary>
    public void Lose() => _left = Lost;

    /// <summary>This was read next.</summary>
    public void Follow(ReadOnlySpan<byte> bytes)
    {
        if (_left == Lost)
        {
            return;
        }

        if (_left == BeforeHead)
        {
            Volatile.Write(ref _left, TryPassHead(ref bytes) ? 0 : Lost);
        }

        while (_left >= 0 && !bytes.IsEmpty)
        {
            Volatile.Write(ref _left, _left == 0 ? Begin(ref bytes) : PassOn(ref bytes));
        }
    }

    // In one piece, as all but the largest come; one whose lines do not end as they should may end where it does not seem to.
    private static bool TryPassHead(ref ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0 || !bytes.StartsWith("HTTP/1.1 200 "u8) || bytes[..end].IndexOf("\n\n"u8) >= 0 || bytes[..(end + 2)].IndexOf("\n\r\n"u8) >= 0)
        {
            return false;
        }

        bytes = bytes[(end + 4)..];
        return true;
    }

    /// <returns>What is left of the chunk whose size stands here; <see cref="Lost"/> for the last, and for what is not all of a size and nothing else.</returns>
    private static long Begin(ref ReadOnlySpan<byte> bytes)
    {
        var size = 0L;
        var at = 0;
        for (; at < bytes.Length && at <= MostDigits && ValueOf(bytes[at]) is >= 0 and var digit; at++)
        {
            size = (size << 4) + digit;
        }

        if (size == 0 || at > MostDigits || !bytes[at..].StartsWith("\r\n"u8))
        {
            return Lost;
        }

        bytes = bytes[(at + 2)..];
        return size + EndLength;
    }

    private static int ValueOf(byte digit) => digit switch
    {
        >= (byte)'0' and <= (byte)'9' => digit - '0',
        >= (byte)'a' and <= (byte)'f' => digit - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => digit - 'A' + 10,
        _ => -1,
    };

    private readonly long PassOn(ref ReadOnlySpan<byte> bytes)
    {
        var left = _left;
        if (left <= 0)
        {
            return Lost;
        }

        if (left > EndLength)
        {
            var passed = (int)Math.Min(left - EndLength, bytes.Length);
            bytes = bytes[passed..];
            return left - passed;
        }

        var expected = left == EndLength ? (byte)'\r' : (byte)'\n';
        left = bytes[0] == expected ? left - 1 : Lost;
        bytes = bytes[1..];
        return left;
    }
}
