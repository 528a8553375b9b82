namespace LlmProxy.Core.Configuration;

/// <summary>Rules of <see cref="CorsOptions"/>.</summary>
internal static class CorsRules
{
    private const string Example = "write for example \"https://chat.example.com\".";

    public static void Check(CorsOptions cors, Problems problems)
    {
        for (var i = 0; i < cors.Origins.Count; i++)
        {
            if (Explain(cors.Origins[i]) is { } problem)
            {
                problems.Error(Places.Item(Places.Member("Cors", "Origins"), i), problem);
            }
        }
    }

    private static string? Explain(string origin)
    {
        if (origin.Contains('*', StringComparison.Ordinal))
        {
            return "holds a star: any page could spend the keys of its visitors. Name each origin.";
        }

        // Of any scheme: desktop apps have their own. Pages without an origin call themselves "null", as anybody can.
        if (!Uri.TryCreate(origin, UriKind.Absolute, out var address) || address.Host.Length == 0 || address.UserInfo.Length > 0)
        {
            return $"is not an origin, which is scheme, host and port: {Example}";
        }

        // Compared as text with what a browser sends, so any other way to write it would never match.
        var host = address.HostNameType == UriHostNameType.IPv6 ? address.Host : address.IdnHost;
        var sent = $"{address.Scheme}://{host}{(address.IsDefaultPort ? "" : $":{address.Port}")}";
        return origin == sent ? null : $"is not what a browser sends: write {Problems.Quote(sent)}.";
    }
}
