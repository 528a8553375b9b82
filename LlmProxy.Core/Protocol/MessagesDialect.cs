using System.Buffers;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>The dialect of Anthropic's Messages.</summary>
/// <remarks>Clients match on the wording of errors to recover from them, so an upstream's own error object goes out untouched.</remarks>
internal sealed class MessagesDialect : Dialect
{
    public override string? RequestIdHeader => "request-id";

    public override int OverloadedStatus => 529;

    public override StreamInspector CreateInspector(in StreamExpectation expectation) => new MessagesInspector(expectation);

    public override void WriteError(ProxyError error, string message, string requestId, IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, ErrorText.JsonOptions);
        json.WriteStartObject();
        json.WriteString("type"u8, "error"u8);
        json.WritePropertyName("error"u8);
        if (error.Original is not null)
        {
            json.WriteRawValue(error.Original, skipInputValidation: true);
        }
        else
        {
            json.WriteStartObject();
            json.WriteString("type"u8, TypeOf(error));
            json.WriteString("message"u8, message);
            json.WriteEndObject();
        }

        json.WriteString("request_id"u8, requestId);
        json.WriteEndObject();
    }

    public override void WriteModels(Utf8JsonWriter json, IReadOnlyList<string> names)
    {
        json.WriteStartObject();
        json.WriteStartArray("data"u8);
        foreach (var name in names)
        {
            WriteModel(json, name);
        }

        json.WriteEndArray();
        json.WriteBoolean("has_more"u8, false);
        json.WriteString("first_id"u8, names.Count == 0 ? null : names[0]);
        json.WriteString("last_id"u8, names.Count == 0 ? null : names[^1]);
        json.WriteEndObject();
    }

    public override void WriteModel(Utf8JsonWriter json, string name)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, "model"u8);
        json.WriteString("id"u8, name);
        json.WriteString("display_name"u8, name);
        // Clients require a time; when a model was made is not ours to know.
        json.WriteString("created_at"u8, "1970-01-01T00:00:00Z"u8);
        json.WriteEndObject();
    }

    private static string TypeOf(ProxyError error) => error.Status switch
    {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => error.Code == ProxyErrors.InsufficientQuotaCode ? "billing_error" : "rate_limit_error",
        503 or 529 => "overloaded_error",
        >= 500 => "api_error",
        _ => "invalid_request_error",
    };
}
