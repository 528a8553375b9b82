using System.Buffers.Binary;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// Ids of requests: 48 bits of milliseconds since 1970 and 80 random bits, as 26 characters of Crockford's base 32. Ordinal order
/// of the text is order of time. They name a request and protect nothing, so the random bits come from the runtime's fast
/// generator (256 bits of state per thread, seeded by the system), not from the cryptographic one.
/// </summary>
internal static class RequestIds
{
    public const int Length = 26;

    // No I, L, O and U: nothing that is misread, in ascending order of the characters.
    private static ReadOnlySpan<byte> Alphabet => "0123456789ABCDEFGHJKMNPQRSTVWXYZ"u8;

    private const int Half = 12;

    public static string Create(DateTimeOffset now)
    {
        // Whole words of the generator: what is left of one is copied byte by byte.
        Span<byte> random = stackalloc byte[2 * sizeof(ulong)];
        Random.Shared.NextBytes(random);
        var high = ((ulong)now.ToUnixTimeMilliseconds() << 16) | BinaryPrimitives.ReadUInt16LittleEndian(random[sizeof(ulong)..]);
        return string.Create(Length, new UInt128(high, BinaryPrimitives.ReadUInt64LittleEndian(random)), static (text, value) =>
        {
            // Twelve characters are 60 bits; shifting 128 for each of them costs three times as much.
            Write(text[(Length - Half)..], (ulong)value);
            Write(text[(Length - (2 * Half))..^Half], (ulong)(value >> (5 * Half)));
            Write(text[..(Length - (2 * Half))], (ulong)(value >> (10 * Half)));
        });
    }

    private static void Write(Span<char> text, ulong value)
    {
        var alphabet = Alphabet;
        for (var i = text.Length - 1; (uint)i < (uint)text.Length; i--)
        {
            text[i] = (char)alphabet[(int)(value & 31)];
            value >>= 5;
        }
    }
}
