using System.Text.Json;
using LlmProxy.Core.Authentication;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Relaying;

/// <summary>Tells a caller what its key is, what it may use, and what is left.</summary>
/// <param name="Caller">Who asks.</param>
/// <param name="Models">Names, aliases and patterns that it may use.</param>
/// <param name="Operations">Names of what it may do with them.</param>
/// <param name="Limits">Its own, its group's, and its end user's.</param>
internal sealed record OwnKey(Caller Caller, IEnumerable<string> Models, IEnumerable<string> Operations, IEnumerable<OwnLimit> Limits)
{
    public ValueTask<int> WriteAsync(HttpContext http, ResponseHeaders headers)
    {
        // What is left is true for the moment.
        http.Response.Headers.CacheControl = "no-store";
        return LocalAnswer.WriteAsync(http, headers, this, static (json, key) => key.Write(json));
    }

    private void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("object"u8, "key"u8);
        json.WriteString("id"u8, Caller.Id);
        json.WriteString("name"u8, Caller.Name);
        json.WriteString("group"u8, Caller.Group);
        Write(json, "models", Models);
        Write(json, "endpoints", Operations);
        Write(json, "expires", Caller.Expires);
        json.WriteStartArray("limits"u8);
        foreach (var limit in Limits)
        {
            json.WriteStartObject();
            json.WriteString("scope"u8, limit.Scope);
            json.WriteString("limit_of"u8, limit.Of);
            json.WriteString("window"u8, limit.Window);
            json.WriteNumber("limit"u8, limit.Limit);
            json.WriteNumber("used"u8, limit.Used);
            json.WriteNumber("left"u8, limit.Left);
            Write(json, "resets", limit.Resets);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, DateTimeOffset? at)
    {
        if (at is { } instant)
        {
            json.WriteString(name, instant.UtcDateTime);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private static void Write(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }
}

/// <param name="Scope"><c>key</c>, <c>group</c> or <c>user</c>.</param>
/// <param name="Of">Of what.</param>
/// <param name="Window">In which time.</param>
/// <param name="Limit">All of it.</param>
/// <param name="Used">Used and set aside.</param>
/// <param name="Left">Neither.</param>
/// <param name="Resets">When all of it is there again.</param>
internal readonly record struct OwnLimit(string Scope, string Of, string Window, decimal Limit, decimal Used, decimal Left, DateTimeOffset? Resets);
