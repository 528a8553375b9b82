namespace LlmProxy.Core.Forwarding;

/// <summary>Which headers pass, both ways: allow-lists, because servers rewrite what names others (<c>Connection: close, X-Foo</c>).</summary>
internal static class ForwardedHeaders
{
    private const StringComparison Ignore = StringComparison.OrdinalIgnoreCase;

    /// <summary>From a client to an upstream. Content-Type is set by what is sent.</summary>
    public static bool GoesUp(string name) => name.Length switch
    {
        6 => name.Equals("Accept", Ignore),
        10 when name.Equals("User-Agent", Ignore) => true,
        15 when name.Equals("Idempotency-Key", Ignore) => true,
        _ => name.Length > 7 && (name[0] | 0x20) switch
        {
            'o' => name.StartsWith("openai-", Ignore),
            'a' => name.StartsWith("anthropic-", Ignore),
            'x' => name.StartsWith("x-stainless-", Ignore),
            _ => false,
        },
    };

    /// <summary>From an upstream to the client, and under which name; null if it stays here.</summary>
    public static string? GoesDown(string name) => name.Length < 10 ? null : (name[0] | 0x20) switch
    {
        'r' when name.Equals("request-id", Ignore) => "x-upstream-request-id",
        'r' when name.Equals("retry-after", Ignore) => "Retry-After",
        'o' when name.Equals("openai-processing-ms", Ignore) || name.Equals("openai-version", Ignore) => name,
        'a' when name.StartsWith("anthropic-ratelimit-", Ignore) => name,
        'a' when IsSpare(name) => "x-upstream-request-id",
        'x' when name.Equals("x-request-id", Ignore) => "x-upstream-request-id",
        'x' when name.StartsWith("x-ratelimit-", Ignore) => name,
        _ => null,
    };

    /// <summary>It passes where the upstream sends no other of the same meaning: Azure's gateway has an id of its own.</summary>
    public static bool IsSpare(string name) => name.Equals("apim-request-id", Ignore);

    /// <summary>Visible ASCII, spaces and tabs: what both sides' writers take without throwing, and what cannot end a header.</summary>
    public static bool IsSafe(string? value)
    {
        if (string.IsNullOrEmpty(value) || value.Length > 4096)
        {
            return false;
        }

        foreach (var c in value)
        {
            if (c is (< ' ' and not '\t') or > '~')
            {
                return false;
            }
        }

        return true;
    }
}
