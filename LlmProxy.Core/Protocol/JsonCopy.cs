using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>Writes JSON that somebody else wrote: on one line, numbers and strings as they came.</summary>
internal static class JsonCopy
{
    /// <summary>As deep as a request may be.</summary>
    public static JsonDocumentOptions Reading { get; } = new() { MaxDepth = 1000 };

    /// <summary>Copies a value.</summary>
    /// <param name="value">From a document read with <see cref="Reading"/>.</param>
    /// <param name="output">Stands where a value may be written.</param>
    /// <param name="redactor">Takes secrets out of names, strings and numbers; null leaves them as they are.</param>
    /// <returns>True if a secret was taken out.</returns>
    /// <exception cref="InvalidOperationException">A name, or a string to be redacted, is not text.</exception>
    public static bool Write(JsonElement value, Utf8JsonWriter output, Redactor? redactor = null)
    {
        var redacted = false;
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                output.WriteStartObject();
                foreach (var member in value.EnumerateObject())
                {
                    var name = redactor?.Apply(member.Name) ?? member.Name;
                    output.WritePropertyName(name);
                    redacted |= name != member.Name | Write(member.Value, output, redactor);
                }

                output.WriteEndObject();
                return redacted;
            case JsonValueKind.Array:
                output.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                {
                    redacted |= Write(item, output, redactor);
                }

                output.WriteEndArray();
                return redacted;
            case JsonValueKind.String when redactor is not null:
                var text = value.GetString()!;
                var clean = redactor.Apply(text);
                if (clean == text)
                {
                    break;
                }

                output.WriteStringValue(clean);
                return true;
            case JsonValueKind.Number when redactor?.IsSecretIn(value.GetRawText()) == true:
                output.WriteStringValue(redactor.Apply(value.GetRawText()));
                return true;
        }

        output.WriteRawValue(JsonMarshal.GetRawUtf8Value(value), skipInputValidation: true);
        return false;
    }

    /// <summary>A value as bytes of its own.</summary>
    /// <exception cref="InvalidOperationException">See <see cref="Write"/>.</exception>
    public static byte[] ToBytes(JsonElement value, Redactor? redactor, out bool redacted)
    {
        var output = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(output, ErrorText.JsonOptions))
        {
            redacted = Write(value, json, redactor);
        }

        return output.WrittenSpan.ToArray();
    }
}
