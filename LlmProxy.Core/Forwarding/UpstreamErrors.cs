using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>What a client is told for an upstream's error status, and what it says about the target.</summary>
internal static class UpstreamErrors
{
    private const int UsualWaitMs = 1000;

    /// <param name="response">Its status and headers.</param>
    /// <param name="json">Its body, if that is JSON.</param>
    /// <param name="redactor">Of the upstream.</param>
    /// <param name="request">What was asked.</param>
    /// <param name="now">For times of the day in headers of an upstream that does not say what time it is there.</param>
    public static ProxyError Translate(HttpResponseMessage response, ReadOnlySpan<byte> json, Redactor redactor, ForwardRequest request, DateTimeOffset now)
    {
        var status = (int)response.StatusCode;
        switch (status)
        {
            case 400 or 402 when status == 402 || PromptLength.IsOutOfMoney(json):
                return QuotaGone(json, redactor);
            case 400 or 409 or 413 or 422:
                var refused = UpstreamMessage.ToError(json, status, redactor) with
                {
                    Blame = Blame.Client,
                    Body = UpstreamMessage.TryRedactBody(json, redactor),
                    Cause = FailureCause.None,
                };
                return status is 400 or 413 && PromptLength.IsExceeded(json) ? ProxyErrors.TooLong(refused) : refused;
            case 401:
                return ProxyErrors.AuthError;
            case 403:
                return ProxyErrors.ModelForbidden;
            case 404 when request.NamesStored && !UpstreamMessage.HasCode(json, "DeploymentNotFound"u8) && !UpstreamMessage.HasCode(json, "model_not_found"u8):
                return ProxyErrors.ResponseNotFound(request.Id.Length > 0 ? request.Id : request.Fields.PreviousResponse ?? request.Fields.Conversation!) with
                { Body = UpstreamMessage.TryRedactBody(json, redactor) };
            case 404 or 410:
                return ProxyErrors.ModelError;
            case 429 when UpstreamMessage.HasCode(json, "insufficient_quota"u8):
                return QuotaGone(json, redactor);
            case 429:
                return WithWait(UpstreamMessage.ToError(json, 429, redactor), response, now) with { Cause = FailureCause.RateLimited };
            case < 500 and not 408:
                // Not what its API promises, and not what a sick server says: callers who bring it about must not take it from the others.
                return UpstreamMessage.ToError(json, 502, redactor) with { Cause = FailureCause.Refused };
            default:
                return WithWait(UpstreamMessage.ToError(json, StatusFor(status, request), redactor), response, now);
        }
    }

    // Nobody can say when somebody pays, so no client is told to come back for it.
    private static ProxyError QuotaGone(ReadOnlySpan<byte> json, Redactor redactor) =>
        UpstreamMessage.ToError(json, 429, redactor) with { Cause = FailureCause.QuotaGone, IsFinal = true };

    private static int StatusFor(int status, ForwardRequest request) => status switch
    {
        408 or 504 => 504,
        503 => 503,
        529 => request.Endpoint.Dialect.OverloadedStatus,
        _ => 502,
    };

    private static ProxyError WithWait(ProxyError error, HttpResponseMessage response, DateTimeOffset now)
    {
        var isRefused = (int)response.StatusCode == 429;
        var wait = RateLimitHeaders.WaitMs(response, isRefused, now, out var isAsked);
        return error with
        {
            RetryAfterMs = error.RetryAfterMs == 0 ? 0 : wait ?? UsualWaitMs,
            CoolForMs = wait ?? (isRefused ? UsualWaitMs : 0),
            IsPauseAsked = isAsked,
        };
    }
}
