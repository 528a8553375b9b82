using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LlmProxy.Core.Protocol;

/// <summary>Finds where JSON's strings, numbers and words end; -1 for what is none. What may not follow them is not looked at.</summary>
internal static partial class JsonScalar
{
    private const int VectorsBeforeSearch = 8;

    private static readonly SearchValues<byte> _special = SearchValues.Create([(byte)'"', (byte)'\\', .. Enumerable.Range(0, 0x20).Select(static i => (byte)i)]);

    /// <param name="json">Where it stands.</param>
    /// <param name="at">Of its first byte.</param>
    public static int End(ReadOnlySpan<byte> json, int at) => at >= json.Length ? -1 : (char)json[at] switch
    {
        '"' => EndOfString(json, at),
        't' => EndOfWord(json, at, "true"u8),
        'f' => EndOfWord(json, at, "false"u8),
        'n' => EndOfWord(json, at, "null"u8),
        _ => EndOfNumber(json, at),
    };

    /// <param name="json">Where it stands.</param>
    /// <param name="at">Of its opening quote.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int EndOfString(ReadOnlySpan<byte> json, int at)
    {
        // Names and most other strings end in the first vector.
        at++;
        if (json.Length - at < Vector128<byte>.Count)
        {
            return EndOfRest(json, at);
        }

        var special = SpecialIn(json, at);
        if (special == 0)
        {
            return EndOfRest(json, at + Vector128<byte>.Count);
        }

        at += BitOperations.TrailingZeroCount(special);
        return json[at] == '"' ? at + 1 : EndOfRest(json, at);
    }

    /// <summary>From within a string, but not from within an escape, to behind its closing quote.</summary>
    private static int EndOfRest(ReadOnlySpan<byte> json, int at)
    {
        while (true)
        {
            at = EndOfPlain(json, at);
            if (at >= json.Length)
            {
                return -1;
            }

            switch (json[at++])
            {
                case (byte)'"':
                    return at;
                case (byte)'\\':
                    at = EndOfEscape(json, at);
                    if (at < 0)
                    {
                        return -1;
                    }

                    break;
                default:
                    // A control character.
                    return -1;
            }
        }
    }

    /// <summary>The same, but -1 also for one with escapes.</summary>
    /// <param name="json">Where it stands.</param>
    /// <param name="at">Of its opening quote.</param>
    public static int EndOfPlainString(ReadOnlySpan<byte> json, int at)
    {
        at = EndOfPlain(json, at + 1);
        return (uint)at < (uint)json.Length && json[at] == '"' ? at + 1 : -1;
    }

    /// <summary>Finds the closing quote of a string that is short and without escapes.</summary>
    /// <param name="json">Where it stands.</param>
    /// <param name="at">Behind its opening quote.</param>
    /// <param name="end">At its closing quote.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryFindEnd(ReadOnlySpan<byte> json, int at, out int end)
    {
        for (; json.Length - at >= Vector128<byte>.Count; at += Vector128<byte>.Count)
        {
            var special = SpecialIn(json, at);
            if (special != 0)
            {
                end = at + BitOperations.TrailingZeroCount(special);
                return json[end] == '"';
            }
        }

        end = EndOfLastPlain(json, at);
        return (uint)end < (uint)json.Length && json[end] == '"';
    }

    /// <summary>To the next quote, backslash or control character, or to the end. Whether text is UTF-8 is no matter of JSON's grammar.</summary>
    public static int EndOfPlain(ReadOnlySpan<byte> json, int at)
    {
        // Most strings are short, and for them the way to the search costs more than the search.
        for (var i = 0; i < VectorsBeforeSearch && json.Length - at >= Vector128<byte>.Count; i++, at += Vector128<byte>.Count)
        {
            var special = SpecialIn(json, at);
            if (special != 0)
            {
                return at + BitOperations.TrailingZeroCount(special);
            }
        }

        return json.Length - at >= Vector128<byte>.Count ? EndOfLongPlain(json, at) : EndOfLastPlain(json, at);
    }

    /// <summary>Images and long texts.</summary>
    private static int EndOfLongPlain(ReadOnlySpan<byte> json, int at)
    {
        at = PassPlain(json, at);
        for (; json.Length - at >= Vector128<byte>.Count; at += Vector128<byte>.Count)
        {
            var special = SpecialIn(json, at);
            if (special != 0)
            {
                return at + BitOperations.TrailingZeroCount(special);
            }
        }

        return EndOfLastPlain(json, at);
    }

    // In less than a vector.
    private static int EndOfLastPlain(ReadOnlySpan<byte> json, int at)
    {
        if (json.Length >= Vector128<byte>.Count)
        {
            var start = json.Length - Vector128<byte>.Count;
            var special = SpecialIn(json, start) >> (at - start);
            return special == 0 ? json.Length : at + BitOperations.TrailingZeroCount(special);
        }

        while (at < json.Length && json[at] is not ((byte)'"' or (byte)'\\' or < 0x20))
        {
            at++;
        }

        return at;
    }

    // A bit for each byte of a vector.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint SpecialIn(ReadOnlySpan<byte> json, int at)
    {
        var bytes = Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(json), (nuint)at);
        var special = Vector128.Equals(bytes, Vector128.Create((byte)'"'))
            | Vector128.Equals(bytes, Vector128.Create((byte)'\\'))
            | Vector128.Equals(Vector128.Min(bytes, Vector128.Create((byte)0x1F)), bytes);
        return special.ExtractMostSignificantBits();
    }

    /// <summary>Goes on by blocks in which nothing is special; faster than a search for any set of bytes.</summary>
    private static int PassPlain(ReadOnlySpan<byte> json, int at)
    {
        ref var start = ref MemoryMarshal.GetReference(json);
        if (Vector512.IsHardwareAccelerated)
        {
            for (; json.Length - at >= 2 * Vector512<byte>.Count; at += 2 * Vector512<byte>.Count)
            {
                if (Vector512.EqualsAny(Vector512.Min(Specials512(ref start, at), Specials512(ref start, at + Vector512<byte>.Count)), Vector512<byte>.Zero))
                {
                    return at;
                }
            }
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            for (; json.Length - at >= 2 * Vector256<byte>.Count; at += 2 * Vector256<byte>.Count)
            {
                if (Vector256.EqualsAny(Vector256.Min(Specials256(ref start, at), Specials256(ref start, at + Vector256<byte>.Count)), Vector256<byte>.Zero))
                {
                    return at;
                }
            }
        }
        else
        {
            var found = json[at..].IndexOfAny(_special);
            return found < 0 ? json.Length : at + found;
        }

        return at;
    }

    // 0 where a byte is special.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Specials256(ref byte start, int at)
    {
        var bytes = Vector256.LoadUnsafe(ref start, (nuint)at);
        var marks = Vector256.Min(bytes ^ Vector256.Create((byte)'"'), bytes ^ Vector256.Create((byte)'\\'));
        return Vector256.Min(marks, Vector256.SubtractSaturate(bytes, Vector256.Create((byte)0x1F)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Specials512(ref byte start, int at)
    {
        var bytes = Vector512.LoadUnsafe(ref start, (nuint)at);
        var marks = Vector512.Min(bytes ^ Vector512.Create((byte)'"'), bytes ^ Vector512.Create((byte)'\\'));
        return Vector512.Min(marks, Vector512.SubtractSaturate(bytes, Vector512.Create((byte)0x1F)));
    }

    // Behind the backslash.
    private static int EndOfEscape(ReadOnlySpan<byte> json, int at)
    {
        if (at >= json.Length)
        {
            return -1;
        }

        switch ((char)json[at++])
        {
            case '"' or '\\' or '/' or 'b' or 'f' or 'n' or 'r' or 't':
                return at;
            case 'u' when json.Length - at >= 4:
                var digits = json.Slice(at, 4);
                return char.IsAsciiHexDigit((char)digits[0]) && char.IsAsciiHexDigit((char)digits[1])
                    && char.IsAsciiHexDigit((char)digits[2]) && char.IsAsciiHexDigit((char)digits[3]) ? at + 4 : -1;
            default:
                return -1;
        }
    }
}
