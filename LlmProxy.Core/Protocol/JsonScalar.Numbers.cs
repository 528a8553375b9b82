using System.Runtime.CompilerServices;

namespace LlmProxy.Core.Protocol;

/// <summary>Numbers and words.</summary>
internal static partial class JsonScalar
{
    // Inlined, for then a word is compared as one number.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int EndOfWord(ReadOnlySpan<byte> json, int at, ReadOnlySpan<byte> word) => json[at..].StartsWith(word) ? at + word.Length : -1;

    // RFC 8259, 6: [ minus ] int [ frac ] [ exp ].
    private static int EndOfNumber(ReadOnlySpan<byte> json, int at)
    {
        at = Is(json, at, '-') ? at + 1 : at;
        var start = at;
        at = EndOfDigits(json, at);
        if (at == start || (json[start] == '0' && at > start + 1))
        {
            return -1;
        }

        return Is(json, at, '.') || Is(json, at, 'e') || Is(json, at, 'E') ? EndOfFraction(json, at) : at;
    }

    // And of the exponent.
    private static int EndOfFraction(ReadOnlySpan<byte> json, int at)
    {
        if (Is(json, at, '.'))
        {
            var start = at + 1;
            at = EndOfDigits(json, start);
            if (at == start)
            {
                return -1;
            }
        }

        if (Is(json, at, 'e') || Is(json, at, 'E'))
        {
            var start = Is(json, at + 1, '+') || Is(json, at + 1, '-') ? at + 2 : at + 1;
            at = EndOfDigits(json, start);
            if (at == start)
            {
                return -1;
            }
        }

        return at;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int EndOfDigits(ReadOnlySpan<byte> json, int at)
    {
        while ((uint)at < (uint)json.Length && (uint)(json[at] - '0') <= 9)
        {
            at++;
        }

        return at;
    }

    private static bool Is(ReadOnlySpan<byte> json, int at, char c) => (uint)at < (uint)json.Length && json[at] == c;
}
