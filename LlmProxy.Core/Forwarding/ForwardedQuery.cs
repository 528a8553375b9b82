using System.Text;
using Microsoft.AspNetCore.Http;
using Endpoint = LlmProxy.Core.Endpoints.Endpoint;

namespace LlmProxy.Core.Forwarding;

/// <summary>Which query parameters go upstream: those of what is asked for by id, written anew. Nothing else has any.</summary>
internal static class ForwardedQuery
{
    private const int LongestValue = 256;

    private static readonly string[] _names =
        ["after", "before", "include", "include[]", "include_obfuscation", "limit", "order", "starting_after", "stream"];

    public static string Of(Endpoint endpoint, IQueryCollection query)
    {
        if (!endpoint.HasId || query.Count == 0)
        {
            return "";
        }

        var text = new StringBuilder();
        foreach (var name in _names)
        {
            foreach (var value in query[name])
            {
                if (value is { Length: > 0 and <= LongestValue })
                {
                    text.Append(text.Length == 0 ? '?' : '&').Append(Uri.EscapeDataString(name)).Append('=').Append(Uri.EscapeDataString(value));
                }
            }
        }

        return text.ToString();
    }
}
