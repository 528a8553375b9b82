using System.Globalization;
using LlmProxy.Core.Admission;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Relaying;

/// <summary>What is left of the caller's own limits, as OpenAI's clients look for it, and Anthropic's where they ask.</summary>
internal static class LimitHeaders
{
    // Limits are of a minute, and no window is longer.
    private static readonly string[] _durations = [.. Enumerable.Range(0, RateWindows.Length + 1).Select(static seconds => Words(seconds))];

    private static readonly NumberTexts _limits = new();

    /// <param name="headers">Of the answer.</param>
    /// <param name="rates">What is left.</param>
    /// <param name="now">For Anthropic's form, which names a time; null where nobody looks for that form.</param>
    public static void Set(IHeaderDictionary headers, in RateView rates, DateTimeOffset? now)
    {
        if (rates.Requests.Limit > 0)
        {
            headers["x-ratelimit-limit-requests"] = _limits.Of(rates.Requests.Limit);
            headers["x-ratelimit-remaining-requests"] = Text(rates.Requests.Remaining);
            headers["x-ratelimit-reset-requests"] = Duration(rates.Requests.ResetSeconds);
        }

        if (rates.Tokens.Limit > 0)
        {
            headers["x-ratelimit-limit-tokens"] = _limits.Of(rates.Tokens.Limit);
            headers["x-ratelimit-remaining-tokens"] = Text(rates.Tokens.Remaining);
            headers["x-ratelimit-reset-tokens"] = Duration(rates.Tokens.ResetSeconds);
        }

        if (now is { } time)
        {
            SetForAnthropic(headers, rates, time);
        }
    }

    /// <summary>An upstream's header that ours stand in the place of.</summary>
    public static bool Replaces(string name) =>
        name.StartsWith("x-ratelimit-", StringComparison.OrdinalIgnoreCase) || name.StartsWith("anthropic-ratelimit-", StringComparison.OrdinalIgnoreCase);

    private static void SetForAnthropic(IHeaderDictionary headers, in RateView rates, DateTimeOffset now)
    {
        if (rates.Requests.Limit > 0)
        {
            headers["anthropic-ratelimit-requests-limit"] = _limits.Of(rates.Requests.Limit);
            headers["anthropic-ratelimit-requests-remaining"] = Text(rates.Requests.Remaining);
            headers["anthropic-ratelimit-requests-reset"] = Time(now, rates.Requests.ResetSeconds);
        }

        if (rates.Tokens.Limit > 0)
        {
            headers["anthropic-ratelimit-tokens-limit"] = _limits.Of(rates.Tokens.Limit);
            headers["anthropic-ratelimit-tokens-remaining"] = Text(rates.Tokens.Remaining);
            headers["anthropic-ratelimit-tokens-reset"] = Time(now, rates.Tokens.ResetSeconds);
        }
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Duration(long seconds) => (ulong)seconds < (ulong)_durations.Length ? _durations[seconds] : Words(seconds);

    private static string Words(long seconds) => seconds < 60
        ? string.Create(CultureInfo.InvariantCulture, $"{seconds}s")
        : string.Create(CultureInfo.InvariantCulture, $"{seconds / 60}m{seconds % 60}s");

    private static string Time(DateTimeOffset now, long seconds) => now.UtcDateTime.AddSeconds(seconds).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
}
