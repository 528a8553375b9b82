using System.Buffers;
using System.Globalization;
using System.Text.Json;
using LlmProxy.Core.Accounting;

namespace LlmProxy.Host.Records;

/// <summary>Writes records as JSON, one line each; what is not known is left out.</summary>
internal sealed class RecordJson : IRecordFormat, IDisposable
{
    private readonly ArrayBufferWriter<byte> _buffer = new(4096);
    private readonly Utf8JsonWriter _json;

    public RecordJson() => _json = new Utf8JsonWriter(_buffer);

    public int Length => _buffer.WrittenCount;

    public ReadOnlySpan<byte> Written => _buffer.WrittenSpan;

    public void Add(ExchangeRecord record)
    {
        _json.Reset();
        _json.WriteStartObject();
        _json.WriteString("time"u8, record.Started.UtcDateTime);
        _json.WriteString("id"u8, record.Id);
        Text("client_id"u8, record.ClientId);
        _json.WriteNumber("generation"u8, record.Generation);
        Text("operation"u8, record.Operation);
        Text("caller"u8, record.Caller);
        Text("group"u8, record.Group);
        Text("model"u8, record.Model);
        Text("route"u8, record.Route);
        Text("upstream"u8, record.Upstream);
        Text("upstream_model"u8, record.UpstreamModel);
        _json.WriteNumber("attempts"u8, record.Attempts);
        Tried(record.Tried);
        Text("coalesced_with"u8, record.CoalescedWith);
        _json.WriteNumber("status"u8, record.Status);
        _json.WriteString("end"u8, record.End);
        Text("blame"u8, record.Blame);
        _json.WriteBoolean("streamed"u8, record.Streamed);
        Milliseconds("duration_ms"u8, record.Duration);
        if (record.FirstEvent is { } first)
        {
            Milliseconds("first_event_ms"u8, first);
        }

        Milliseconds("overhead_ms"u8, record.Overhead);
        _json.WriteNumber("request_bytes"u8, record.RequestBytes);
        _json.WriteNumber("response_bytes"u8, record.ResponseBytes);
        Count("input_tokens"u8, record.InputTokens);
        Count("cached_input_tokens"u8, record.CachedInputTokens);
        Count("output_tokens"u8, record.OutputTokens);
        _json.WriteString("usage_source"u8, record.UsageSource);
        if (record.Cost is { } cost)
        {
            _json.WriteNumber("cost_usd"u8, cost);
        }

        Text("trace_id"u8, record.TraceId);
        _json.WriteEndObject();
        _json.Flush();
        _buffer.Write("\n"u8);
    }

    public void Clear() => _buffer.ResetWrittenCount();

    public void Dispose() => _json.Dispose();

    private void Text(ReadOnlySpan<byte> name, string? value)
    {
        if (value is not null)
        {
            _json.WriteString(name, value);
        }
    }

    private void Tried(IReadOnlyList<AttemptRecord> tried)
    {
        if (tried.Count == 0)
        {
            return;
        }

        _json.WriteStartArray("tried"u8);
        foreach (var attempt in tried)
        {
            _json.WriteStartObject();
            _json.WriteString("upstream"u8, attempt.Upstream);
            _json.WriteString("upstream_model"u8, attempt.UpstreamModel);
            _json.WriteString("end"u8, attempt.End);
            Milliseconds("duration_ms"u8, attempt.Duration);
            Count("input_tokens"u8, attempt.InputTokens);
            Count("output_tokens"u8, attempt.OutputTokens);
            _json.WriteEndObject();
        }

        _json.WriteEndArray();
    }

    private void Count(ReadOnlySpan<byte> name, long? value)
    {
        if (value is { } count)
        {
            _json.WriteNumber(name, count);
        }
    }

    /// <summary>Three decimals: a double would print 0.30000000000000004.</summary>
    private void Milliseconds(ReadOnlySpan<byte> name, TimeSpan value)
    {
        _json.WritePropertyName(name);
        Span<byte> text = stackalloc byte[32];
        value.TotalMilliseconds.TryFormat(text, out var length, "0.###", CultureInfo.InvariantCulture);
        _json.WriteRawValue(text[..length], skipInputValidation: true);
    }
}
