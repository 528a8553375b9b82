using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>Writes keys and groups as they could have been written in a configuration; no hash and no secret.</summary>
internal static class SettingsText
{
    /// <summary>How an instant in UTC is written.</summary>
    public const string Instant = "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'";

    public static string Of(KeyOptions key) => Write(json =>
    {
        Text(json, "Group", key.Group);
        List(json, "Models", key.Models);
        List(json, "Endpoints", key.Endpoints);
        List(json, "UpstreamTags", key.UpstreamTags.Count > 0 ? key.UpstreamTags : null);
        Allowance(json, key);
        Text(json, "Expires", key.Expires?.UtcDateTime.ToString(Instant, CultureInfo.InvariantCulture));
        Switch(json, "Disabled", key.Disabled);
        Text(json, "TimeZone", key.TimeZone);
        if (key.Metadata.Count > 0)
        {
            json.WriteStartObject("Metadata");
            foreach (var (name, value) in key.Metadata)
            {
                json.WriteString(name, value);
            }

            json.WriteEndObject();
        }

        Switch(json, "Debug", key.Debug);
    });

    public static string Of(GroupOptions group) => Write(json =>
    {
        List(json, "Models", group.Models);
        List(json, "Endpoints", group.Endpoints);
        List(json, "UpstreamTags", group.UpstreamTags.Count > 0 ? group.UpstreamTags : null);
        Allowance(json, group);
        if (group.EachKey is { } each)
        {
            json.WriteStartObject("EachKey");
            Allowance(json, each);
            json.WriteEndObject();
        }

        if (group.EndUser is { } users)
        {
            json.WriteStartObject("EndUser");
            Text(json, "Header", users.Header);
            Allowance(json, users);
            json.WriteEndObject();
        }

        Text(json, "TimeZone", group.TimeZone);
    });

    private static string Write(Action<Utf8JsonWriter> members)
    {
        var output = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private static void Allowance(Utf8JsonWriter json, AllowanceOptions allowance)
    {
        Number(json, "RequestsPerMinute", allowance.RequestsPerMinute);
        Number(json, "TokensPerMinute", allowance.TokensPerMinute);
        Number(json, "Concurrent", allowance.Concurrent);
        if (allowance.Budget is { } budget)
        {
            json.WriteStartObject("Budget");
            Number(json, "Day", budget.Day);
            Number(json, "Month", budget.Month);
            Number(json, "Total", budget.Total);
            json.WriteEndObject();
        }

        Text(json, "Reserve", allowance.Reserve switch { null => null, ReserveMode.Exact => "Exact", _ => "Expected" });
    }

    private static void Text(Utf8JsonWriter json, string name, string? text)
    {
        if (text is not null)
        {
            json.WriteString(name, text);
        }
    }

    private static void Number(Utf8JsonWriter json, string name, decimal? number)
    {
        if (number is { } value)
        {
            json.WriteNumber(name, value);
        }
    }

    private static void Switch(Utf8JsonWriter json, string name, bool isOn)
    {
        if (isOn)
        {
            json.WriteBoolean(name, isOn);
        }
    }

    private static void List(Utf8JsonWriter json, string name, IList<string>? texts)
    {
        if (texts is null)
        {
            return;
        }

        json.WriteStartArray(name);
        foreach (var text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }
}
