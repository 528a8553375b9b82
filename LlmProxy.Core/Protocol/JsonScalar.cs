using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LlmProxy.Core.Protocol;

/// <summary>Finds where JSON's strings, numbers and words end; -1 for what is none. What may not follow them is not looked at.</summary>
internal static class JsonScalar
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
    public static int EndOfString(ReadOnlySpan<byte> json, int at)
    {
        at++;
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
        return at < json.Length && json[at] == '"' ? at + 1 : -1;
    }

    /// <summary>To the next quote, backslash or control character. Whether text is UTF-8 is no matter of JSON's grammar.</summary>
    private static int EndOfPlain(ReadOnlySpan<byte> json, int at)
    {
        // Most strings are short, and for them the way to the search costs more than the search.
        for (var i = 0; i < VectorsBeforeSearch && json.Length - at >= Vector128<byte>.Count; i++)
        {
            var bytes = Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(json), (nuint)at);
            var special = Vector128.Equals(bytes, Vector128.Create((byte)'"'))
                | Vector128.Equals(bytes, Vector128.Create((byte)'\\'))
                | Vector128.Equals(Vector128.Min(bytes, Vector128.Create((byte)0x1F)), bytes);
            if (special != Vector128<byte>.Zero)
            {
                return at + BitOperations.TrailingZeroCount(special.ExtractMostSignificantBits());
            }

            at += Vector128<byte>.Count;
        }

        var found = json[at..].IndexOfAny(_special);
        return found < 0 ? json.Length : at + found;
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
                foreach (var digit in json.Slice(at, 4))
                {
                    if (!char.IsAsciiHexDigit((char)digit))
                    {
                        return -1;
                    }
                }

                return at + 4;
            default:
                return -1;
        }
    }

    private static int EndOfWord(ReadOnlySpan<byte> json, int at, ReadOnlySpan<byte> word) => json[at..].StartsWith(word) ? at + word.Length : -1;

    // RFC 8259, 6: [ minus ] int [ frac ] [ exp ].
    private static int EndOfNumber(ReadOnlySpan<byte> json, int at)
    {
        var start = Is(json, at, '-') ? at + 1 : at;
        at = EndOfDigits(json, start);
        if (at == start || (at > start + 1 && json[start] == '0'))
        {
            return -1;
        }

        if (Is(json, at, '.'))
        {
            start = at + 1;
            at = EndOfDigits(json, start);
            if (at == start)
            {
                return -1;
            }
        }

        if (Is(json, at, 'e') || Is(json, at, 'E'))
        {
            start = Is(json, at + 1, '+') || Is(json, at + 1, '-') ? at + 2 : at + 1;
            at = EndOfDigits(json, start);
            if (at == start)
            {
                return -1;
            }
        }

        return at;
    }

    private static int EndOfDigits(ReadOnlySpan<byte> json, int at)
    {
        while (at < json.Length && json[at] is >= (byte)'0' and <= (byte)'9')
        {
            at++;
        }

        return at;
    }

    private static bool Is(ReadOnlySpan<byte> json, int at, char c) => at < json.Length && json[at] == c;
}
