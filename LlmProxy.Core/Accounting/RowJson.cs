using System.Text.Json;

namespace LlmProxy.Core.Accounting;

/// <summary>A row of the ledger as JSON, for the admin API and for files.</summary>
internal static class RowJson
{
    public static void Write(Utf8JsonWriter json, LedgerRow row)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, row.Id);
        json.WriteString("client_id"u8, row.ClientId);
        json.WriteString("started"u8, row.Started.UtcDateTime);
        json.WriteNumber("duration_ms"u8, Math.Round(row.Duration.TotalMilliseconds, 3));
        if (row.FirstEvent is { } first)
        {
            json.WriteNumber("first_event_ms"u8, Math.Round(first.TotalMilliseconds, 3));
        }

        json.WriteString("operation"u8, row.Operation);
        json.WriteString("key"u8, row.Key);
        json.WriteString("key_name"u8, row.KeyName);
        json.WriteString("group"u8, row.Group);
        json.WriteString("user"u8, row.EndUser);
        json.WriteString("model"u8, row.Model);
        json.WriteString("upstream"u8, row.Upstream);
        json.WriteString("upstream_model"u8, row.UpstreamModel);
        json.WriteNumber("status"u8, row.Status);
        json.WriteBoolean("streamed"u8, row.Streamed);
        json.WriteString("end"u8, row.End);
        WriteTokens(json, row);
        Write(json, "cost"u8, row.Cost);
        json.WriteNumber("operator_cost"u8, row.OperatorCost);
        json.WriteString("coalesced_with"u8, row.CoalescedWith);
        WriteTried(json, row.Tried);
        json.WriteEndObject();
    }

    private static void WriteTokens(Utf8JsonWriter json, LedgerRow row)
    {
        Write(json, "input_tokens"u8, row.InputTokens);
        Write(json, "cached_tokens"u8, row.CachedInputTokens);
        Write(json, "written_tokens"u8, row.CacheWriteTokens);
        Write(json, "written_1h_tokens"u8, row.CacheWrite1hTokens);
        Write(json, "output_tokens"u8, row.OutputTokens);
        Write(json, "reasoning_tokens"u8, row.ReasoningTokens);
        json.WriteString("usage_source"u8, row.UsageSource);
        json.WriteString("service_tier"u8, row.ServiceTier);

        // As the upstream wrote it, which need not be an object any more than what it says need be true.
        json.WriteString("raw_usage"u8, row.RawUsage);
    }

    private static void WriteTried(Utf8JsonWriter json, IReadOnlyList<AttemptRecord> tried)
    {
        json.WriteStartArray("tried"u8);
        foreach (var attempt in tried)
        {
            json.WriteStartObject();
            json.WriteString("upstream"u8, attempt.Upstream);
            json.WriteString("upstream_model"u8, attempt.UpstreamModel);
            json.WriteString("end"u8, attempt.End);
            json.WriteNumber("duration_ms"u8, Math.Round(attempt.Duration.TotalMilliseconds, 3));
            Write(json, "input_tokens"u8, attempt.InputTokens);
            Write(json, "output_tokens"u8, attempt.OutputTokens);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, ReadOnlySpan<byte> name, decimal? value)
    {
        if (value is { } number)
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
