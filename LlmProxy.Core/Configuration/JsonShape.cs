using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>Any JSON, kept as written but for its references.</summary>
internal sealed class JsonShape : Shape<JsonElement>
{
    // The text goes into request bodies, not into pages.
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonShape Instance { get; } = new();

    public override string Expected => "any JSON value";

    public override bool TryRead(ConfigurationNode node, Reading reading, out JsonElement value)
    {
        value = default;
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, WriterOptions))
        {
            if (!TryWrite(node, reading, writer))
            {
                return false;
            }
        }

        using var document = JsonDocument.Parse(buffer.WrittenMemory);
        value = document.RootElement.Clone();
        return true;
    }

    private static bool TryWrite(ConfigurationNode node, Reading reading, Utf8JsonWriter writer)
    {
        switch (node.Kind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                var isWhole = true;
                foreach (var (name, child) in node.Children)
                {
                    writer.WritePropertyName(name);
                    isWhole &= TryWrite(child, reading, writer);
                }

                writer.WriteEndObject();
                return isWhole;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                var isFull = true;
                foreach (var (_, child) in node.Children)
                {
                    isFull &= TryWrite(child, reading, writer);
                }

                writer.WriteEndArray();
                return isFull;
            default:
                return TryWriteScalar(node, reading, writer);
        }
    }

    private static bool TryWriteScalar(ConfigurationNode node, Reading reading, Utf8JsonWriter writer)
    {
        if (!node.IsTyped && HasLostItsType(node))
        {
            reading.Refuse(node, $"{(node.Kind == JsonValueKind.Null ? "this" : Problems.Quote(node.Text))} has lost its type in the app's configuration: " +
                "number, true, false, null, empty and text are the same there. Write this model in a file of its own, read by AddLlmProxy(\"llmproxy.json\").");
            writer.WriteNullValue();
            return false;
        }

        if (node.Kind != JsonValueKind.String)
        {
            writer.WriteRawValue(node.Text);
            return true;
        }

        var isFilled = reading.TryFill(node, out var text, out _);
        writer.WriteStringValue(text);
        return isFilled;
    }

    private static bool HasLostItsType(ConfigurationNode node) =>
        node.Kind == JsonValueKind.Null
        || node.Text.Length == 0
        || node.Text is "null"
        || bool.TryParse(node.Text, out _)
        || (node.Text.AsSpan().ContainsAnyInRange('0', '9') && double.TryParse(node.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out _));
}
