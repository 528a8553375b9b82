using System.Globalization;
using System.Text.Json;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Admin;

/// <summary>A request of the admin API that may be answered.</summary>
/// <param name="http">The request itself.</param>
/// <param name="values">Of its path.</param>
/// <param name="body">An object; undefined if it has none.</param>
internal sealed class AdminRequest(HttpContext http, string[] values, JsonElement body)
{
    public HttpContext Http => http;

    public CancellationToken Cancellation => http.RequestAborted;

    /// <summary>Undefined where the request has none.</summary>
    public JsonElement Body => body;

    public string Value(int index) => values[index];

    /// <summary>A parameter of the query; null if it is not there or empty.</summary>
    public string? Query(string name) => http.Request.Query[name].ToString() is { Length: > 0 } value ? value : null;

    /// <summary>All values of a parameter that is given several times. A comma may be part of a name.</summary>
    public IReadOnlyList<string> Queries(string name) => [.. http.Request.Query[name].OfType<string>().Where(static v => v.Length > 0)];

    /// <summary>All words of a parameter, separated by commas or given several times.</summary>
    public IReadOnlyList<string> Words(string name) =>
        [.. Queries(name).SelectMany(static v => v.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];

    /// <summary>A text of the body; null if it is not there or null.</summary>
    /// <param name="name">The member.</param>
    /// <param name="error">It is something else.</param>
    public string? Text(string name, ref ProxyError? error)
    {
        if (body.ValueKind != JsonValueKind.Object || !body.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.String)
        {
            error ??= ProxyErrors.InvalidType(name, "a text");
            return null;
        }

        return value.GetString();
    }

    /// <summary>What the body says of a key or a group.</summary>
    public Result<AdminDraft> Draft()
    {
        ProxyError? error = null;
        var draft = new AdminDraft(Text("name", ref error), Object("settings", ref error), Number("revision", ref error));
        return error is null ? draft : error;
    }

    /// <summary>An object of the body, as it was written; null if it is not there or null.</summary>
    public string? Object(string name, ref ProxyError? error)
    {
        if (body.ValueKind != JsonValueKind.Object || !body.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Object)
        {
            error ??= ProxyErrors.InvalidType(name, "an object");
            return null;
        }

        return value.GetRawText();
    }

    /// <summary>A whole number of the body; null if it is not there or null.</summary>
    public long? Number(string name, ref ProxyError? error)
    {
        if (body.ValueKind != JsonValueKind.Object || !body.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out var number))
        {
            error ??= ProxyErrors.InvalidType(name, "a whole number");
            return null;
        }

        return number;
    }

    /// <summary>A duration of the body, in one number with its unit; null if it is not there or null.</summary>
    public TimeSpan? Duration(string name, ref ProxyError? error)
    {
        if (Text(name, ref error) is not { } text)
        {
            return null;
        }

        if (ShortTime.Parse(text) is { } duration)
        {
            return duration;
        }

        error ??= AdminErrors.InvalidValue(name, "a time with its unit, for example 30m, 24h or 7d");
        return null;
    }

    /// <summary>An instant of the body, or of a text.</summary>
    public static DateTimeOffset? Instant(string name, string? text, ref ProxyError? error)
    {
        if (text is null)
        {
            return null;
        }

        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var value))
        {
            return value;
        }

        error ??= AdminErrors.InvalidValue(name, "a date or an instant, for example 2027-06-30 or 2027-06-30T12:00:00Z");
        return null;
    }
}

/// <param name="Name">Null if it says none.</param>
/// <param name="Settings">A JSON object; null if it says none.</param>
/// <param name="Revision">That a change was made for; null: whichever.</param>
internal readonly record struct AdminDraft(string? Name, string? Settings, long? Revision);
