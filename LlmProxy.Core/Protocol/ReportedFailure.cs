using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>A failure that an upstream reports inside an answer with a good status: which status it would have had.</summary>
internal static class ReportedFailure
{
    private const int UsualPauseMs = 1000;

    /// <summary>The error of an event such as <c>{"type":"error","error":{"type":…,"code":…,"message":…}}</c>, or of such an inner object alone.</summary>
    /// <param name="json">As it came.</param>
    /// <param name="overloaded">The status for "overloaded".</param>
    /// <param name="redactor">Of the upstream.</param>
    public static ProxyError ToError(ReadOnlySpan<byte> json, int overloaded, Redactor redactor)
    {
        var status = StatusOf(json, overloaded);
        switch (status)
        {
            case 401:
                return ProxyErrors.AuthError;
            case 403:
                return ProxyErrors.ModelForbidden;
            case 404:
                return ProxyErrors.ModelError;
        }

        var error = UpstreamMessage.ToError(json, status == 0 ? 502 : status, redactor);
        if (status is not (400 or 413))
        {
            return status == 429 ? Limited(error, json) : error;
        }

        error = error with
        {
            Blame = Blame.Client,
            Body = error.Original is null ? null : [.. "{\"error\":"u8, .. error.Original, (byte)'}'],
            Cause = FailureCause.None,
        };
        return PromptLength.IsExceeded(json) ? ProxyErrors.TooLong(error) : error;
    }

    /// <summary>The error of a dialect that knows no status but that of the response, which was good: 502, whatever it says. What it says of the upstream counts.</summary>
    /// <param name="json">As it came.</param>
    /// <param name="redactor">Of the upstream.</param>
    public static ProxyError InGoodStatus(ReadOnlySpan<byte> json, Redactor redactor)
    {
        var error = UpstreamMessage.ToError(json, 502, redactor);
        return StatusOf(json, 503) switch
        {
            400 or 413 => error with { Cause = PromptLength.IsExceeded(json) ? FailureCause.TooLong : FailureCause.Refused },
            401 => error with { Cause = FailureCause.KeyRefused },
            403 => error with { Cause = FailureCause.ModelForbidden },
            404 => error with { Cause = FailureCause.ModelUnknown },
            429 => Limited(error, json),
            _ => error,
        };
    }

    private static ProxyError Limited(ProxyError error, ReadOnlySpan<byte> json) => UpstreamMessage.HasCode(json, "insufficient_quota"u8)
        ? error with { Cause = FailureCause.QuotaGone, IsFinal = true }
        : error with { Cause = FailureCause.RateLimited, CoolForMs = UsualPauseMs };

    /// <summary>The status by code or type, the code first; 0 for what is not in the table.</summary>
    public static int StatusOf(ReadOnlySpan<byte> json, int overloaded)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                return 0;
            }

            var error = root.TryGetProperty("error"u8, out var inner) && inner.ValueKind == JsonValueKind.Object ? inner : root;
            var status = StatusOf(error, "code"u8, overloaded);
            return status != 0 ? status : StatusOf(error, "type"u8, overloaded);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return 0;
        }
    }

    /// <summary>The upstream's own code, if its error object has one that is fit to be passed on.</summary>
    public static string? CodeOf(ProxyError error)
    {
        if (error.Original is null)
        {
            return null;
        }

        using var document = JsonDocument.Parse(error.Original);
        return document.RootElement.TryGetProperty("code"u8, out var code) && code.ValueKind == JsonValueKind.String
            && code.GetString() is { Length: > 0 and <= 64 } text && Ascii.IsValid(text)
                ? text
                : null;
    }

    private static int StatusOf(JsonElement error, ReadOnlySpan<byte> name, int overloaded)
    {
        if (!error.TryGetProperty(name, out var value))
        {
            return 0;
        }

        // Some gateways write the status itself.
        if (value.ValueKind == JsonValueKind.Number)
        {
            return value.TryGetInt32(out var number) && number is 400 or 401 or 403 or 404 or 413 or 429 or (>= 500 and < 600) ? number : 0;
        }

        if (value.ValueKind != JsonValueKind.String)
        {
            return 0;
        }

        return value.GetString() switch
        {
            "invalid_request_error" or "BadRequestError" or "context_length_exceeded" => 400,
            "request_too_large" => 413,
            "invalid_api_key" or "authentication_error" => 401,
            "permission_error" => 403,
            "not_found_error" or "model_not_found" => 404,
            "rate_limit_exceeded" or "rate_limit_error" or "insufficient_quota" => 429,
            "overloaded_error" or "server_is_overloaded" or "slow_down" => overloaded,
            "timeout_error" => 504,
            "server_error" or "api_error" => 502,
            _ => 0,
        };
    }
}
