using System.Globalization;
using LlmProxy.Core.Protocol;
using Microsoft.Net.Http.Headers;

namespace LlmProxy.Core.Forwarding;

/// <summary>What a client is told for an upstream's error status.</summary>
internal static class UpstreamErrors
{
    private const int LongestWaitMs = 60_000;
    private const int ShortestWaitMs = 1;
    private const int UsualWaitMs = 1000;

    /// <param name="response">Its status and headers.</param>
    /// <param name="json">Its body, if that is JSON.</param>
    /// <param name="redactor">Of the upstream.</param>
    /// <param name="request">What was asked.</param>
    public static ProxyError Translate(HttpResponseMessage response, ReadOnlySpan<byte> json, Redactor redactor, ForwardRequest request)
    {
        var status = (int)response.StatusCode;
        switch (status)
        {
            case 400 or 409 or 413 or 422:
                return UpstreamMessage.ToError(json, status, redactor) with { Blame = Blame.Client, Body = UpstreamMessage.TryRedactBody(json, redactor) };
            case 401 or 403:
                return ProxyErrors.AuthError;
            case 404 when request.NamesStored && UpstreamMessage.ReadCode(json) is not ("DeploymentNotFound" or "model_not_found"):
                return ProxyErrors.ResponseNotFound(request.Id.Length > 0 ? request.Id : request.Fields.PreviousResponse ?? request.Fields.Conversation!) with
                { Body = UpstreamMessage.TryRedactBody(json, redactor) };
            case 404:
                return ProxyErrors.ModelError;
            case 408 or 504:
                return UpstreamMessage.ToError(json, 504, redactor, WaitOf(response));
            case 429:
                return UpstreamMessage.ToError(json, 429, redactor, WaitOf(response));
            case 503:
                return UpstreamMessage.ToError(json, 503, redactor, WaitOf(response));
            case 529:
                return UpstreamMessage.ToError(json, request.Endpoint.Dialect.OverloadedStatus, redactor, WaitOf(response));
            default:
                return UpstreamMessage.ToError(json, 502, redactor, WaitOf(response));
        }
    }

    /// <summary>How long the upstream asks to be left alone, in milliseconds, at most a minute: clients ignore longer ones.</summary>
    private static int WaitOf(HttpResponseMessage response)
    {
        var headers = response.Headers.NonValidated;
        if (headers.TryGetValues("retry-after-ms", out var exact)
            && double.TryParse(exact.ToString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var milliseconds)
            && milliseconds >= 0)
        {
            return (int)Math.Clamp(milliseconds, ShortestWaitMs, LongestWaitMs);
        }

        if (!headers.TryGetValues("Retry-After", out var value))
        {
            return UsualWaitMs;
        }

        var text = value.ToString();
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && seconds >= 0)
        {
            return (int)Math.Clamp(seconds * 1000, ShortestWaitMs, LongestWaitMs);
        }

        // A date is taken against the upstream's own clock, so that a difference between the clocks does not count.
        return HeaderUtilities.TryParseDate(text, out var date)
            && response.Headers.Date is { } now
                ? (int)Math.Clamp((date - now).TotalMilliseconds, ShortestWaitMs, LongestWaitMs)
                : UsualWaitMs;
    }
}
