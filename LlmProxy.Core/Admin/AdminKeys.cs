using System.Security.Cryptography;
using System.Text;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Admin;

/// <summary>Somebody who may use the admin API.</summary>
/// <param name="Name">For the log.</param>
/// <param name="IsReadOnly">May change nothing.</param>
internal sealed record AdminCaller(string Name, bool IsReadOnly);

/// <summary>The keys of the admin API, by hash. Immutable.</summary>
internal sealed class AdminKeys
{
    private readonly List<(byte[] Hash, AdminCaller Caller)> _keys = [];

    /// <param name="options">Validated.</param>
    public AdminKeys(AdminOptions options)
    {
        foreach (var (name, key) in options.Keys)
        {
            var hash = Convert.FromHexString((key.Hash ?? ApiKeys.Hash(key.Key!)).AsSpan("sha256:".Length));
            _keys.Add((hash, new AdminCaller(name, key.ReadOnly)));
        }
    }

    public bool IsEmpty => _keys.Count == 0;

    /// <summary>Whose key it is; null if nobody's. Every key is compared in full, so that the time tells nothing.</summary>
    public AdminCaller? Find(string key)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(key), hash);
        AdminCaller? found = null;
        foreach (var (known, caller) in _keys)
        {
            if (CryptographicOperations.FixedTimeEquals(hash, known))
            {
                found = caller;
            }
        }

        return found;
    }
}
