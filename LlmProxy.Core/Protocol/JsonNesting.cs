using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LlmProxy.Core.Protocol;

/// <summary>What has to come next in a JSON value.</summary>
internal enum JsonExpected
{
    Value,

    /// <summary>The first of an array, or its end.</summary>
    ElementOrEnd,

    Name,

    /// <summary>The first of an object, or its end.</summary>
    NameOrEnd,

    Colon,

    CommaOrEnd,
}

/// <summary>How deep in a JSON value a walk stands, and what has to come next; begins before the value.</summary>
internal struct JsonNesting
{
    // One bit each.
    private const int Deepest = 64;

    // What is open; the innermost in the lowest bit: 1 for an object.
    private ulong _kinds;
    private int _depth;

    public JsonExpected Expected;

    /// <summary>Asked behind a token: nothing is open any more.</summary>
    public readonly bool HasEnded => _depth == 0 && Expected == JsonExpected.CommaOrEnd;

    public readonly bool IsInObject => (_kinds & 1) != 0;

    /// <summary>What closes the innermost that is open.</summary>
    public readonly char Closing => IsInObject ? '}' : ']';

    /// <returns>False if it would be too deep.</returns>
    public bool TryOpen(bool isObject)
    {
        if (_depth == Deepest)
        {
            return false;
        }

        _depth++;
        _kinds = (_kinds << 1) | (isObject ? 1UL : 0);
        Expected = isObject ? JsonExpected.NameOrEnd : JsonExpected.ElementOrEnd;
        return true;
    }

    /// <returns>What it was given.</returns>
    public int Close(int at)
    {
        _depth--;
        _kinds >>= 1;
        Expected = JsonExpected.CommaOrEnd;
        return at;
    }

    /// <summary>Passes over an object or an array, or over the rest of it, as far as its tokens lie in this piece.</summary>
    /// <param name="json">The piece.</param>
    /// <param name="position">Where it stands; afterwards behind the value, or at what it stopped at.</param>
    /// <returns>False if it stopped at a token that is not JSON, or not whole, or at a value that is neither of them.</returns>
    public bool TrySkip(ReadOnlySpan<byte> json, ref int position)
    {
        var (nesting, at) = (this, position);
        while ((uint)at < (uint)json.Length)
        {
            int end;
            if (json[at] == '"' && nesting.Expected < JsonExpected.Colon)
            {
                end = JsonScalar.EndOfString(json, at);
                if ((uint)end >= (uint)json.Length)
                {
                    break;
                }

                at = nesting.Expected < JsonExpected.Name ? nesting.EndOfScalar(json, end) : nesting.EndOfName(json, end);
                continue;
            }

            end = json[at] > ' ' ? nesting.EndOfToken(json, at) : SkipSpaces(json, at);
            if (end <= at)
            {
                break;
            }

            at = end;
            if (nesting._depth == 0)
            {
                (this, position) = (nesting, at);
                return true;
            }
        }

        (this, position) = (nesting, at);
        return false;
    }

    // The colon mostly follows at once.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int EndOfName(ReadOnlySpan<byte> json, int end)
    {
        if (json[end] == ':')
        {
            Expected = JsonExpected.Value;
            return end + 1;
        }

        Expected = JsonExpected.Colon;
        return end;
    }

    // And so does the comma.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int EndOfScalar(ReadOnlySpan<byte> json, int end)
    {
        if (json[end] == ',')
        {
            Expected = BehindComma;
            return end + 1;
        }

        Expected = JsonExpected.CommaOrEnd;
        return end;
    }

    /// <summary>Takes a token that is no string.</summary>
    /// <returns>-1, with nothing changed, if it is not JSON, not whole or too deep.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int EndOfToken(ReadOnlySpan<byte> json, int at)
    {
        var next = (char)json[at];
        switch (Expected)
        {
            case JsonExpected.CommaOrEnd when next == Closing:
            case JsonExpected.NameOrEnd when next == '}':
            case JsonExpected.ElementOrEnd when next == ']':
                return Close(at + 1);
            case JsonExpected.CommaOrEnd when next == ',':
                Expected = BehindComma;
                return at + 1;
            case JsonExpected.Colon when next == ':':
                Expected = JsonExpected.Value;
                return at + 1;
            case JsonExpected.Value or JsonExpected.ElementOrEnd:
                if (next is '{' or '[')
                {
                    return TryOpen(next == '{') ? at + 1 : -1;
                }

                // A number that reaches the end of its piece may go on in the next.
                var end = JsonScalar.End(json, at);
                return (uint)end < (uint)json.Length ? EndOfScalar(json, end) : -1;
            default:
                return -1;
        }
    }

    /// <summary>What has to come behind a comma.</summary>
    public readonly JsonExpected BehindComma => IsInObject ? JsonExpected.Name : JsonExpected.Value;

    /// <summary>The first byte from there on that is not white space.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int SkipSpace(ReadOnlySpan<byte> json, int at) => (uint)at < (uint)json.Length && json[at] > ' ' ? at : SkipSpaces(json, at);

    private static int SkipSpaces(ReadOnlySpan<byte> json, int at)
    {
        // One space behind a colon or a comma, or an indented line.
        if ((uint)(at + 1) < (uint)json.Length && json[at + 1] > ' ')
        {
            return IsSpace(json[at]) ? at + 1 : at;
        }

        for (; json.Length - at >= Vector128<byte>.Count; at += Vector128<byte>.Count)
        {
            var bytes = Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(json), (nuint)at);
            var spaces = Vector128.Equals(bytes, Vector128.Create((byte)' '))
                | Vector128.Equals(bytes, Vector128.Create((byte)'\n'))
                | Vector128.Equals(bytes, Vector128.Create((byte)'\r'))
                | Vector128.Equals(bytes, Vector128.Create((byte)'\t'));
            var others = spaces.ExtractMostSignificantBits() ^ 0xFFFF;
            if (others != 0)
            {
                return at + BitOperations.TrailingZeroCount(others);
            }
        }

        while ((uint)at < (uint)json.Length && IsSpace(json[at]))
        {
            at++;
        }

        return at;
    }

    private static bool IsSpace(byte next) => next is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t';
}
