using System.Text.Json;
using LlmProxy.Core.Accounting;

namespace LlmProxy.Core.Admin;

/// <summary>The ledger as the admin API writes it.</summary>
internal static class UsageJson
{
    public static void Write(Utf8JsonWriter json, UsageQuery query, IReadOnlyList<UsageTotal> totals, long waiting)
    {
        json.WriteStartObject();
        Write(json, "since"u8, query.Since);
        Write(json, "until"u8, query.Until);
        json.WriteStartArray("by"u8);
        foreach (var key in query.By)
        {
            json.WriteStringValue(UsageReading.WordOf(key));
        }

        json.WriteEndArray();
        json.WriteStartArray("totals"u8);
        foreach (var total in totals)
        {
            Write(json, query, total);
        }

        json.WriteEndArray();
        json.WriteNumber("waiting"u8, waiting);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, UsageQuery query, UsageTotal total)
    {
        json.WriteStartObject();
        for (var i = 0; i < query.By.Count; i++)
        {
            json.WriteString(UsageReading.WordOf(query.By[i]), total.Key[i]);
        }

        json.WriteNumber("requests"u8, total.Requests);
        json.WriteNumber("failed"u8, total.Failed);
        json.WriteNumber("input_tokens"u8, total.Input);
        json.WriteNumber("cached_tokens"u8, total.Cached);
        json.WriteNumber("written_tokens"u8, total.Written);
        json.WriteNumber("output_tokens"u8, total.Output);
        json.WriteNumber("cost"u8, total.Cost);
        json.WriteNumber("operator_cost"u8, total.OperatorCost);
        json.WriteNumber("unpriced"u8, total.Unpriced);
        json.WriteNumber("estimated"u8, total.Estimated);
        json.WriteEndObject();
    }

    public static void Write(Utf8JsonWriter json, ReadOnlySpan<byte> name, DateTimeOffset? value)
    {
        if (value is { } time)
        {
            json.WriteString(name, time.UtcDateTime);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
