using System.Buffers;
using System.Globalization;
using System.Net.Http.Headers;
using Microsoft.Net.Http.Headers;

namespace LlmProxy.Core.Forwarding;

/// <summary>How long an upstream asks to be left alone, in all the ways that upstreams say it.</summary>
internal static class RateLimitHeaders
{
    private const int LongestMs = 60_000;
    private const int ShortestMs = 1;

    // A number this large is a time of the day, not a duration: seconds since 1970.
    private const double LeastEpoch = 1_000_000_000;

    // Each limit has its own; the longest of those that are used up is what has to pass.
    private static readonly string[] _families = ["requests", "tokens", "input-tokens", "output-tokens", ""];
    private static readonly SearchValues<char> _digits = SearchValues.Create("0123456789.");
    private static readonly string[] _prefixes = ["x-ratelimit-", "anthropic-ratelimit-"];

    /// <summary>The wait in milliseconds, 1 to 60,000; null if nothing is said of it.</summary>
    /// <param name="response">Its headers.</param>
    /// <param name="isRefused">A limit was hit: then it is known when it is filled again, where nothing else is said.</param>
    /// <param name="now">The time, for an upstream that does not say what time it is there.</param>
    /// <param name="isAsked">A pause is asked for, rather than that the state of a limit is told.</param>
    public static int? WaitMs(HttpResponseMessage response, bool isRefused, DateTimeOffset now, out bool isAsked)
    {
        var headers = response.Headers.NonValidated;

        // A time of the day is taken against the upstream's own clock, so that a difference between the clocks does not count.
        now = response.Headers.Date ?? now;
        isAsked = true;
        if (Number(headers, "retry-after-ms") is { } milliseconds)
        {
            return Bound(milliseconds);
        }

        if (headers.TryGetValues("Retry-After", out var value) && AfterMs(value.ToString(), now) is { } wait)
        {
            return wait;
        }

        isAsked = false;
        return isRefused ? ResetMs(headers, now) : null;
    }

    private static int? AfterMs(string text, DateTimeOffset now)
    {
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && seconds >= 0)
        {
            return Bound(seconds * 1000);
        }

        return HeaderUtilities.TryParseDate(text, out var date) ? Bound((date - now).TotalMilliseconds) : null;
    }

    private static int? ResetMs(HttpHeadersNonValidated headers, DateTimeOffset now)
    {
        double? longest = null;
        double? usedUp = null;
        foreach (var prefix in _prefixes)
        {
            foreach (var family in _families)
            {
                var (resetName, remainingName) = Names(prefix, family);
                if (headers.TryGetValues(resetName, out var reset) && Parse(reset.ToString(), now) is { } wait)
                {
                    longest = Math.Max(longest ?? 0, wait);
                    if (Number(headers, remainingName) is 0)
                    {
                        usedUp = Math.Max(usedUp ?? 0, wait);
                    }
                }
            }
        }

        return (usedUp ?? longest) is { } milliseconds ? Bound(milliseconds) : null;
    }

    // OpenAI writes x-ratelimit-reset-tokens, Anthropic anthropic-ratelimit-tokens-reset, others x-ratelimit-reset.
    private static (string Reset, string Remaining) Names(string prefix, string family) =>
        family.Length == 0 ? (prefix + "reset", prefix + "remaining")
        : prefix[0] == 'a' ? ($"{prefix}{family}-reset", $"{prefix}{family}-remaining")
        : ($"{prefix}reset-{family}", $"{prefix}remaining-{family}");

    /// <summary>A duration (<c>6m0s</c>, <c>1s</c>, <c>20ms</c>, <c>11.1</c> seconds), a time since 1970 in seconds or milliseconds, or a date.</summary>
    private static double? Parse(string text, DateTimeOffset now)
    {
        text = text.Trim();
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
        {
            return number < 0 || !double.IsFinite(number) ? null
                : number < LeastEpoch ? number * 1000
                : (number < LeastEpoch * 1000 ? number * 1000 : number) - now.ToUnixTimeMilliseconds();
        }

        if (ParseUnits(text) is { } duration)
        {
            return duration;
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date)
            ? (date - now).TotalMilliseconds
            : null;
    }

    // As Go writes durations: numbers with units, the largest first.
    private static double? ParseUnits(ReadOnlySpan<char> text)
    {
        var total = 0.0;
        while (!text.IsEmpty)
        {
            var digits = text.IndexOfAnyExcept(_digits);
            if (digits <= 0 || !double.TryParse(text[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                return null;
            }

            text = text[digits..];
            var letters = text.IndexOfAnyInRange('0', '9');
            var unit = letters < 0 ? text : text[..letters];
            var factor = unit switch { "ms" => 1, "s" => 1000, "m" => 60_000, "h" => 3_600_000, "d" => 86_400_000, _ => 0 };
            if (factor == 0)
            {
                return null;
            }

            total += number * factor;
            text = text[unit.Length..];
        }

        return total;
    }

    private static double? Number(HttpHeadersNonValidated headers, string name) =>
        headers.TryGetValues(name, out var value)
        && double.TryParse(value.ToString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
        && number >= 0
            ? number
            : null;

    private static int Bound(double milliseconds) => (int)Math.Clamp(milliseconds, ShortestMs, LongestMs);
}
