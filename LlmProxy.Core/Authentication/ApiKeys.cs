using System.Security.Cryptography;
using System.Text;

namespace LlmProxy.Core.Authentication;

/// <summary>Makes and hashes the API keys of callers.</summary>
public static class ApiKeys
{
    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    /// <summary>A new key: <c>sk-llmp-</c> and 32 random letters and digits (190 bits). It is nowhere kept.</summary>
    public static string Create() => "sk-llmp-" + RandomNumberGenerator.GetString(Alphabet, 32);

    /// <summary>What is kept of a key and written in configuration: <c>sha256:</c> and 64 lower-case hexadecimal digits.</summary>
    public static string Hash(string key) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
