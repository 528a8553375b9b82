using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>Reads what an upstream says of its own failure.</summary>
internal static class UpstreamMessage
{
    /// <summary>The error that a client is told for an error body or event, with the upstream's message if it has one.</summary>
    public static ProxyError ToError(ReadOnlySpan<byte> json, int status, Redactor redactor, int retryAfterMs = 1000) =>
        ProxyErrors.UpstreamError(status, TryRead(json, redactor), retryAfterMs) with { Original = TryReadOriginal(json, redactor) };

    /// <summary>An error body names this code, as <c>code</c> or as <c>type</c>.</summary>
    public static bool HasCode(ReadOnlySpan<byte> json, ReadOnlySpan<byte> code)
    {
        var at = json.IndexOf(code);
        return at > 0 && at + code.Length < json.Length && json[at - 1] == (byte)'"' && json[at + code.Length] == (byte)'"';
    }

    /// <summary>The message of <c>{"error":{"message":…}}</c>, <c>{"error":"…"}</c>, <c>{"message":…}</c> or <c>{"detail":…}</c>, made fit to be shown.</summary>
    public static string? TryRead(ReadOnlySpan<byte> json, Redactor redactor)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            using var document = JsonDocument.ParseValue(ref reader);
            var text = Find(document.RootElement, 0);
            return string.IsNullOrWhiteSpace(text) ? null : DisplayText.Message(redactor.Apply(text));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>An error body with secrets taken out; null if it is not a JSON object with an error that can be passed on.</summary>
    public static byte[]? TryRedactBody(ReadOnlySpan<byte> json, Redactor redactor)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            using var document = JsonDocument.ParseValue(ref reader);
            if (reader.BytesConsumed < json.TrimEnd("\r\n\t "u8).Length
                || document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("error"u8, out var error)
                || error.ValueKind != JsonValueKind.Object)
            {
                return null;
            }

            var clean = JsonCopy.ToBytes(document.RootElement, redactor, out var redacted);
            return redacted ? clean : json.ToArray();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>One JSON value without the secrets in it; null if it has none and may stay as it came.</summary>
    public static byte[]? TryRedactValue(ReadOnlySpan<byte> json, Redactor redactor)
    {
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = JsonCopy.Reading.MaxDepth });
            using var document = JsonDocument.ParseValue(ref reader);
            var clean = JsonCopy.ToBytes(document.RootElement, redactor, out var redacted);
            return redacted ? clean : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or System.Text.RegularExpressions.RegexMatchTimeoutException)
        {
            // Not text, so that nobody can say what is in it.
            return "{\"code\":\"server_error\",\"message\":\"The upstream reported an error.\"}"u8.ToArray();
        }
    }

    /// <summary>The error object itself, if it has what every client reads: a type and a message.</summary>
    private static byte[]? TryReadOriginal(ReadOnlySpan<byte> json, Redactor redactor)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            using var document = JsonDocument.ParseValue(ref reader);
            return document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("error"u8, out var error)
                && error.ValueKind == JsonValueKind.Object
                && error.TryGetProperty("type"u8, out var type) && type.ValueKind == JsonValueKind.String
                && error.TryGetProperty("message"u8, out var message) && message.ValueKind == JsonValueKind.String
                    ? JsonCopy.ToBytes(error, redactor, out _)
                    : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static string? Find(JsonElement element, int depth)
    {
        if (element.ValueKind == JsonValueKind.String)
        {
            return element.GetString();
        }

        if (element.ValueKind != JsonValueKind.Object || depth > 2)
        {
            return null;
        }

        foreach (var name in (ReadOnlySpan<string>)["error", "message", "detail"])
        {
            if (element.TryGetProperty(name, out var inner) && Find(inner, depth + 1) is { } text)
            {
                return text;
            }
        }

        return null;
    }
}
