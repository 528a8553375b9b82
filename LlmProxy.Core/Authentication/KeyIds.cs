using System.Security.Cryptography;

namespace LlmProxy.Core.Authentication;

/// <summary>Ids of stored keys: <c>key_</c> and 16 characters, 48 bits of time and 32 of chance, in an alphabet that nobody misreads.</summary>
internal static class KeyIds
{
    private const string Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    private const int Length = 16;

    public static string Create(DateTimeOffset now)
    {
        var number = ((UInt128)(ulong)now.ToUnixTimeMilliseconds() << 32) | (uint)RandomNumberGenerator.GetInt32(int.MinValue, int.MaxValue);
        Span<char> text = stackalloc char[Length];
        for (var i = Length - 1; i >= 0; i--)
        {
            text[i] = Alphabet[(int)(number & 31)];
            number >>= 5;
        }

        return "key_" + text.ToString();
    }
}
