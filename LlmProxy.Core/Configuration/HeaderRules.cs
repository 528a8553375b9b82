namespace LlmProxy.Core.Configuration;

/// <summary>Rules of headers that operators configure. A value is never quoted: it may be a secret.</summary>
internal static class HeaderRules
{
    private const string TokenSigns = "!#$%&'*+-.^_`|~";
    private const int LongestValue = 8 << 10;

    // What frames a message, what belongs to one connection, and what the proxy itself answers for: sent twice or
    // differently these let a request be read in two ways, or break the answer.
    private static readonly HashSet<string> Ours = new(StringComparer.OrdinalIgnoreCase)
    {
        "Host", "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection",
        "Proxy-Authorization", "Proxy-Authenticate", "TE", "Trailer", "Upgrade", "Expect", "Accept", "Accept-Encoding",
        "traceparent", "tracestate", "HTTP2-Settings",
    };

    public static void Check(string path, IDictionary<string, string> headers, Problems problems)
    {
        foreach (var (name, value) in headers)
        {
            var at = Places.Member(path, name);
            if (!IsToken(name))
            {
                problems.Error(at, "is not the name of a header: letters, digits and \"-\".");
            }
            else if (string.Equals(name, "Authorization", StringComparison.OrdinalIgnoreCase))
            {
                problems.Error(at, "is sent by the proxy. Write the secret as ApiKey of the upstream.");
            }
            else if (Ours.Contains(name))
            {
                problems.Error(at, "is set by the proxy and cannot be configured.");
            }

            if (value.Length == 0)
            {
                problems.Error(at, "is empty. Leave the header out.");
            }
            else if (value.Length > LongestValue || value != value.Trim() || !value.All(static c => c is >= ' ' and <= '~'))
            {
                problems.Error(at, "needs a value of visible ASCII characters, blanks only between them.");
            }
        }
    }

    /// <summary>True for what can be the name of a header.</summary>
    public static bool IsToken(string name) =>
        name.Length > 0 && name.All(static c => char.IsAsciiLetterOrDigit(c) || TokenSigns.Contains(c, StringComparison.Ordinal));

    /// <summary>True if a text can stand in a header and holds no blank.</summary>
    public static bool IsVisible(string text) => text.All(static c => c is > ' ' and <= '~');
}
