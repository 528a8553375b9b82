using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Forwarding;

/// <summary>How long the client itself will wait, as its SDK says: an upper bound of our clock.</summary>
internal static class ClientTimeout
{
    /// <summary>The header that says it.</summary>
    public const string Header = "x-stainless-timeout";

    public static TimeSpan Bound(IHeaderDictionary headers, TimeSpan configured)
    {
        if (!headers.TryGetValue(Header, out var value)
            || !double.TryParse(value.ToString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)
            || seconds is not (> 0 and < 86_400))
        {
            return configured;
        }

        var wanted = TimeSpan.FromSeconds(seconds);
        return configured == TimeSpan.Zero || wanted < configured ? wanted : configured;
    }
}
