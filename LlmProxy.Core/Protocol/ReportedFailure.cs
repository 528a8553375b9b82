using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>A failure that an upstream reports inside an answer with a good status: which status it would have had.</summary>
internal static class ReportedFailure
{
    /// <summary>The error of an event such as <c>{"type":"error","error":{"type":…,"code":…,"message":…}}</c>, or of such an inner object alone.</summary>
    /// <param name="json">As it came.</param>
    /// <param name="overloaded">The status for "overloaded".</param>
    /// <param name="redactor">Of the upstream.</param>
    public static ProxyError ToError(ReadOnlySpan<byte> json, int overloaded, Redactor redactor)
    {
        var status = StatusOf(json, overloaded);
        if (status == 401)
        {
            return ProxyErrors.AuthError;
        }

        var error = UpstreamMessage.ToError(json, status == 0 ? 502 : status, redactor);
        return status is 400 or 413
            ? error with { Blame = Blame.Client, Body = error.Original is null ? null : [.. "{\"error\":"u8, .. error.Original, (byte)'}'] }
            : error;
    }

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
        if (!error.TryGetProperty(name, out var value) || value.ValueKind != JsonValueKind.String)
        {
            return 0;
        }

        return value.GetString() switch
        {
            "invalid_request_error" => 400,
            "request_too_large" => 413,
            "invalid_api_key" or "authentication_error" or "permission_error" => 401,
            "rate_limit_exceeded" or "rate_limit_error" or "insufficient_quota" => 429,
            "overloaded_error" or "server_is_overloaded" or "slow_down" => overloaded,
            "timeout_error" => 504,
            "server_error" or "api_error" => 502,
            _ => 0,
        };
    }
}
