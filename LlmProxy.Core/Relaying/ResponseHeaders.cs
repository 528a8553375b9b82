using System.Globalization;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Relaying;

/// <summary>The headers of our answers.</summary>
/// <param name="RequestId">Ours.</param>
/// <param name="ClientId">The client's own, if it may be echoed.</param>
/// <param name="Overhead">Our part of the time so far; null where nothing went upstream.</param>
/// <param name="Upstream">Shown to callers that debug; else null.</param>
/// <param name="UpstreamModel">Shown to callers that debug; else null.</param>
/// <param name="Attempts">Shown along with the upstream.</param>
internal readonly record struct ResponseHeaders(
    string RequestId, string? ClientId, TimeSpan? Overhead = null, string? Upstream = null, string? UpstreamModel = null, int Attempts = 0)
{
    /// <summary>The other name under which the client looks for the request id; null if there is none.</summary>
    public string? RequestIdHeader { get; init; }

    /// <summary>Of the configuration; shown along with the upstream.</summary>
    public long Generation { get; init; }

    /// <summary>What the caller's own limits have left; the upstream's are not shown then.</summary>
    public RateView Rates { get; init; }

    /// <summary>Now, for clients that look for a time at which limits are full again; null where they do not.</summary>
    public DateTimeOffset? Now { get; init; }

    /// <summary>Puts them on an answer.</summary>
    /// <param name="response">Not begun.</param>
    /// <param name="answer">Whose headers pass as far as the allow-list goes; null if there is none.</param>
    /// <param name="redactor">Of the upstream that answered.</param>
    public void Apply(HttpResponse response, UpstreamAnswer? answer, Redactor? redactor = null)
    {
        var headers = response.Headers;
        headers["x-request-id"] = RequestId;
        if (RequestIdHeader is not null)
        {
            headers[RequestIdHeader] = RequestId;
        }

        if (ClientId is not null)
        {
            headers["x-client-request-id"] = ClientId;
        }

        if (Overhead is { } overhead)
        {
            headers["x-llmproxy-overhead-ms"] = Milliseconds(overhead);
        }

        if (Upstream is not null)
        {
            headers["x-llmproxy-upstream"] = Upstream;
            headers["x-llmproxy-model"] = ForwardedHeaders.IsSafe(UpstreamModel) ? UpstreamModel : "?";
            headers["x-llmproxy-attempts"] = Attempts.ToString(CultureInfo.InvariantCulture);
            headers["x-llmproxy-generation"] = Generation.ToString(CultureInfo.InvariantCulture);
        }

        var isLimited = Rates.HasAny;
        if (isLimited)
        {
            LimitHeaders.Set(headers, Rates, Now);
        }

        if (answer is null)
        {
            return;
        }

        foreach (var (name, values) in answer.Headers)
        {
            if (ForwardedHeaders.GoesDown(name) is { } passed
                && !(ForwardedHeaders.IsSpare(name) && headers.ContainsKey(passed)) && !(isLimited && LimitHeaders.Replaces(name))
                && values.ToString() is var value && ForwardedHeaders.IsSafe(value))
            {
                headers[passed] = redactor is not null && redactor.IsSecretIn(value) ? redactor.Apply(value) : value;
            }
        }
    }

    /// <summary>Milliseconds to the microsecond, without closing zeros. As a number in the runtime's formats it costs ten times as much.</summary>
    internal static string Milliseconds(TimeSpan time)
    {
        const int MostDigits = 20;
        var (whole, rest) = Math.DivRem((Math.Max(0, time.Ticks) + 5) / 10, 1000);
        Span<char> text = stackalloc char[MostDigits + 4];
        whole.TryFormat(text, out var length, default, CultureInfo.InvariantCulture);
        if (rest > 0)
        {
            text[length++] = '.';
            for (var unit = 100; rest > 0; unit /= 10)
            {
                text[length++] = (char)('0' + (rest / unit));
                rest %= unit;
            }
        }

        return new string(text[..length]);
    }
}
