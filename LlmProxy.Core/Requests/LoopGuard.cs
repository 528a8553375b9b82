using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Requests;

/// <summary>Notices a request that this proxy itself has sent, directly or by way of others.</summary>
internal sealed class LoopGuard
{
    /// <summary>The instances that a request has passed.</summary>
    public const string Header = "x-llmproxy-via";

    // Proxies in front of proxies exist; nobody has this many on purpose.
    private const int MostHops = 8;

    /// <summary>This one: the header of a request that has passed no other.</summary>
    public string Instance { get; } = RandomNumberGenerator.GetHexString(12, lowercase: true);

    /// <summary>The request has been here before, or at too many others.</summary>
    public bool IsLoop(IHeaderDictionary headers)
    {
        if (!headers.TryGetValue(Header, out var values))
        {
            return false;
        }

        var via = values.ToString();
        return via.Contains(Instance, StringComparison.Ordinal) || via.AsSpan().Count(',') + 1 >= MostHops;
    }

    /// <summary>The header for the next hop.</summary>
    public string Next(IHeaderDictionary headers) =>
        headers.TryGetValue(Header, out var values) && IsPlain(values.ToString()) ? $"{values},{Instance}" : Instance;

    private static bool IsPlain(string via)
    {
        foreach (var c in via)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c != ',')
            {
                return false;
            }
        }

        return via.Length > 0;
    }
}
