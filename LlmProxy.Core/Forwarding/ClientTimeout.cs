using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Forwarding;

/// <summary>How long the client itself will wait, as its SDK says, for all attempts together: an upper bound of our clocks up to the first output.</summary>
internal static class ClientTimeout
{
    /// <summary>The header that says it.</summary>
    public const string Header = "x-stainless-timeout";

    /// <returns>Zero if it does not say, or nothing that can be meant.</returns>
    public static TimeSpan Of(IHeaderDictionary headers) =>
        headers.TryGetValue(Header, out var value)
        && double.TryParse(value.ToString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)
        && seconds is > 0 and < 86_400
            ? TimeSpan.FromSeconds(seconds)
            : TimeSpan.Zero;
}
