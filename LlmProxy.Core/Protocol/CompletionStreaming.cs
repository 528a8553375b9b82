using System.Buffers;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>Writes a completion that came as JSON as the stream that was asked for: some servers cannot stream every model.</summary>
/// <remarks>
/// Values go out as they came; only their arrangement changes. What a chat message holds becomes one delta, its tool calls
/// get the <c>index</c> that streams have, and the finish reason follows in a chunk of its own.
/// </remarks>
internal sealed class CompletionStreaming
{
    private readonly bool _isChat;

    private CompletionStreaming(bool isChat) => _isChat = isChat;

    public static CompletionStreaming Chat { get; } = new(true);

    public static CompletionStreaming Legacy { get; } = new(false);

    /// <summary>Writes all events, the end mark included.</summary>
    /// <returns>False if the answer is no completion.</returns>
    public bool TryWrite(ReadOnlyMemory<byte> answer, bool includesUsage, IBufferWriter<byte> output)
    {
        try
        {
            using var document = JsonDocument.Parse(answer, JsonCopy.Reading);
            var root = document.RootElement;
            if (!root.TryGetProperty("choices"u8, out var choices) || choices.ValueKind != JsonValueKind.Array || choices.GetArrayLength() == 0)
            {
                return false;
            }

            foreach (var choice in choices.EnumerateArray())
            {
                if (choice.ValueKind != JsonValueKind.Object || !choice.TryGetProperty(_isChat ? "message"u8 : "text"u8, out var content))
                {
                    return false;
                }

                if (_isChat && content.ValueKind != JsonValueKind.Object)
                {
                    return false;
                }

                WriteChoice(root, choice, output);
            }

            if (includesUsage && root.TryGetProperty("usage"u8, out var usage) && usage.ValueKind == JsonValueKind.Object)
            {
                WriteChunk(root, output, usage, static (json, usage) =>
                {
                    json.WriteStartArray("choices"u8);
                    json.WriteEndArray();
                    json.WritePropertyName("usage"u8);
                    JsonCopy.Write(usage, json);
                });
            }

            output.Write(SseText.Done);
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private void WriteChoice(JsonElement root, JsonElement choice, IBufferWriter<byte> output)
    {
        if (!_isChat)
        {
            WriteChunk(root, output, choice, static (json, choice) => WriteChoices(json, choice, static (json, choice) => JsonCopy.Write(choice, json)));
            return;
        }

        WriteChunk(root, output, choice, static (json, choice) => WriteChoices(json, choice, WriteDelta));
        WriteChunk(root, output, choice, static (json, choice) => WriteChoices(json, choice, WriteFinish));
    }

    /// <summary>One event with what all chunks of an answer have in common, and what this one has besides.</summary>
    private void WriteChunk(JsonElement root, IBufferWriter<byte> output, JsonElement what, Action<Utf8JsonWriter, JsonElement> write)
    {
        output.Write("data: "u8);
        using (var json = new Utf8JsonWriter(output, ErrorText.JsonOptions))
        {
            json.WriteStartObject();
            foreach (var member in root.EnumerateObject())
            {
                if (member.NameEquals("object"u8))
                {
                    json.WriteString("object"u8, _isChat ? "chat.completion.chunk"u8 : "text_completion"u8);
                }
                else if (!member.NameEquals("choices"u8) && !member.NameEquals("usage"u8))
                {
                    json.WritePropertyName(member.Name);
                    JsonCopy.Write(member.Value, json);
                }
            }

            write(json, what);
            json.WriteEndObject();
        }

        output.Write("\n\n"u8);
    }

    private static void WriteChoices(Utf8JsonWriter json, JsonElement choice, Action<Utf8JsonWriter, JsonElement> write)
    {
        json.WriteStartArray("choices"u8);
        write(json, choice);
        json.WriteEndArray();
    }

    private static void WriteDelta(Utf8JsonWriter json, JsonElement choice)
    {
        json.WriteStartObject();
        foreach (var member in choice.EnumerateObject())
        {
            if (member.NameEquals("message"u8))
            {
                json.WriteStartObject("delta"u8);
                WriteMessage(json, member.Value);
                json.WriteEndObject();
            }
            else if (member.NameEquals("finish_reason"u8))
            {
                json.WriteNull("finish_reason"u8);
            }
            else
            {
                json.WritePropertyName(member.Name);
                JsonCopy.Write(member.Value, json);
            }
        }

        json.WriteEndObject();
    }

    private static void WriteMessage(Utf8JsonWriter json, JsonElement message)
    {
        foreach (var member in message.EnumerateObject())
        {
            json.WritePropertyName(member.Name);
            if (!member.NameEquals("tool_calls"u8) || member.Value.ValueKind != JsonValueKind.Array)
            {
                JsonCopy.Write(member.Value, json);
                continue;
            }

            json.WriteStartArray();
            var index = 0;
            foreach (var call in member.Value.EnumerateArray())
            {
                WriteToolCall(json, call, index++);
            }

            json.WriteEndArray();
        }
    }

    private static void WriteToolCall(Utf8JsonWriter json, JsonElement call, int index)
    {
        if (call.ValueKind != JsonValueKind.Object)
        {
            JsonCopy.Write(call, json);
            return;
        }

        json.WriteStartObject();
        json.WriteNumber("index"u8, index);
        foreach (var member in call.EnumerateObject())
        {
            if (!member.NameEquals("index"u8))
            {
                json.WritePropertyName(member.Name);
                JsonCopy.Write(member.Value, json);
            }
        }

        json.WriteEndObject();
    }

    private static void WriteFinish(Utf8JsonWriter json, JsonElement choice)
    {
        json.WriteStartObject();
        json.WritePropertyName("index"u8);
        if (choice.TryGetProperty("index"u8, out var index))
        {
            JsonCopy.Write(index, json);
        }
        else
        {
            json.WriteNumberValue(0);
        }

        json.WriteStartObject("delta"u8);
        json.WriteEndObject();
        json.WritePropertyName("finish_reason"u8);
        if (choice.TryGetProperty("finish_reason"u8, out var reason))
        {
            JsonCopy.Write(reason, json);
        }
        else
        {
            json.WriteNullValue();
        }

        json.WriteEndObject();
    }
}
