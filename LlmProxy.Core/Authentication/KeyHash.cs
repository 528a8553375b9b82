using System.Security.Cryptography;

namespace LlmProxy.Core.Authentication;

/// <summary>A SHA-256, as a key of a dictionary.</summary>
internal readonly record struct KeyHash(ulong A, ulong B, ulong C, ulong D)
{
    private const string Prefix = "sha256:";

    public static KeyHash From(ReadOnlySpan<byte> hash) => new(
        BitConverter.ToUInt64(hash), BitConverter.ToUInt64(hash[8..]), BitConverter.ToUInt64(hash[16..]), BitConverter.ToUInt64(hash[24..]));

    /// <summary>The bytes of <c>sha256:</c> and 64 hexadecimal digits; false for any other text.</summary>
    public static bool TryParse(string? text, out byte[] hash)
    {
        hash = new byte[SHA256.HashSizeInBytes];
        return text is not null && text.StartsWith(Prefix, StringComparison.Ordinal) && text.Length == Prefix.Length + (2 * hash.Length)
            && Convert.FromHexString(text.AsSpan(Prefix.Length), hash, out _, out _) == System.Buffers.OperationStatus.Done;
    }
}
