using System.Security.Cryptography;
using System.Text;

namespace LlmProxy.Core.Authentication;

/// <summary>Makes and hashes the API keys of callers.</summary>
public static class ApiKeys
{
    private const string Prefix = "sk-llmp-";
    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private const int RandomLength = 32;
    private const int ChecksumLength = 6;

    /// <summary>
    /// A new key: <c>sk-llmp-</c>, 32 random letters and digits (190 bits) and 6 that follow from these, so that a typing error can be
    /// told from a wrong key, and whoever looks for secrets in files finds it without false alarms. It is nowhere kept.
    /// </summary>
    public static string Create()
    {
        var random = RandomNumberGenerator.GetString(Alphabet, RandomLength);
        return Prefix + random + Checksum(random);
    }

    /// <summary>True for a text that <see cref="Create"/> can have made: whether it is anybody's key is not known by that.</summary>
    public static bool IsWhole(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.Length == Prefix.Length + RandomLength + ChecksumLength && key.StartsWith(Prefix, StringComparison.Ordinal)
            && key.AsSpan(Prefix.Length + RandomLength).SequenceEqual(Checksum(key.Substring(Prefix.Length, RandomLength)));
    }

    /// <summary>What is kept of a key and written in configuration: <c>sha256:</c> and 64 lower-case hexadecimal digits.</summary>
    public static string Hash(string key) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    // No secret and no protection, so any function will do that two keys seldom share: the first 32 bits of another hash.
    private static string Checksum(string random)
    {
        var number = BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes("llmproxy key checksum " + random)));
        return string.Create(ChecksumLength, number, static (text, rest) =>
        {
            for (var i = text.Length - 1; i >= 0; i--)
            {
                text[i] = Alphabet[(int)(rest % Alphabet.Length)];
                rest /= (uint)Alphabet.Length;
            }
        });
    }
}
