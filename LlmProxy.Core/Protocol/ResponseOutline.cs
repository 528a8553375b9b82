using System.Buffers;
using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>
/// The last response object of a stream, kept for the events that we write ourselves: heartbeats that repeat it, and the one
/// that says that it failed.
/// </summary>
/// <remarks>
/// A response repeats its request, tools and instructions included: tens of kilobytes that a stream must not hold while it
/// waits. Of a large one only the small members are kept, as they came; the two that clients require are emptied.
/// </remarks>
internal static class ResponseOutline
{
    private const int LargestWhole = 4096;
    private const int LargestMember = 512;

    /// <summary>What is kept of a response object.</summary>
    /// <param name="response">The object, known to be valid JSON on one line.</param>
    /// <param name="model">The model's name to put in its place, as a JSON string; empty to leave it.</param>
    public static byte[] Of(ReadOnlySpan<byte> response, ReadOnlySpan<byte> model)
    {
        var largest = response.Length <= LargestWhole ? LargestWhole : LargestMember;
        var output = new ArrayBufferWriter<byte>(Math.Min(response.Length, LargestWhole) + 256);
        var reader = new Utf8JsonReader(response, new JsonReaderOptions { MaxDepth = JsonCopy.Reading.MaxDepth });
        reader.Read();
        output.Write("{"u8);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var start = (int)reader.TokenStartIndex;
            var isModel = reader.Is("model"u8);
            var emptied = reader.Is("instructions"u8) ? "null"u8 : reader.Is("tools"u8) ? "[]"u8 : default;
            reader.Read();
            var valueStart = (int)reader.TokenStartIndex;
            reader.Skip();
            var value = response[valueStart..(int)reader.BytesConsumed];
            value = isModel && !model.IsEmpty ? model : value.Length <= largest ? value : emptied;
            if (value.IsEmpty)
            {
                continue;
            }

            output.Write(output.WrittenCount > 1 ? ","u8 : default);
            output.Write(response[start..valueStart]);
            output.Write(value);
        }

        output.Write("}"u8);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>Writes a whole event: <c>response.in_progress</c> with the response as it last was.</summary>
    public static byte[] InProgress(byte[] outline, long sequence)
    {
        var output = new ArrayBufferWriter<byte>(outline.Length + 128);
        output.Write("event: response.in_progress\ndata: "u8);
        using (var json = new Utf8JsonWriter(output, ErrorText.JsonOptions))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "response.in_progress"u8);
            json.WriteNumber("sequence_number"u8, Math.Max(0, sequence));
            json.WritePropertyName("response"u8);
            json.WriteRawValue(outline, skipInputValidation: true);
            json.WriteEndObject();
        }

        output.Write("\n\n"u8);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>Writes a whole event: <c>response.failed</c>.</summary>
    /// <remarks>
    /// Some clients read the response's error, others raise whatever has an <c>error</c> of its own; both find what they look for.
    /// </remarks>
    /// <param name="outline">Null if there was no response yet.</param>
    /// <param name="sequence">The event's number.</param>
    /// <param name="error">Why.</param>
    /// <param name="message">The same in words.</param>
    /// <param name="requestId">Stands for the id of a response that has none.</param>
    /// <param name="output">Gets the event.</param>
    public static void WriteFailed(byte[]? outline, long sequence, ProxyError error, string message, string requestId, IBufferWriter<byte> output)
    {
        output.Write("event: response.failed\ndata: "u8);
        using (var json = new Utf8JsonWriter(output, ErrorText.JsonOptions))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "response.failed"u8);
            json.WriteNumber("sequence_number"u8, sequence);
            json.WritePropertyName("response"u8);
            if (outline is null)
            {
                json.WriteStartObject();
                WriteUnborn(json, requestId);
                WriteFailure(json, error, message);
                json.WriteEndObject();
            }
            else
            {
                json.WriteRawValue(Failed(outline, error, message), skipInputValidation: true);
            }

            OpenAIError.WriteMember(error, message, json);
            json.WriteEndObject();
        }

        output.Write("\n\n"u8);
    }

    private static void WriteFailure(Utf8JsonWriter json, ProxyError error, string message)
    {
        json.WriteString("status"u8, "failed"u8);
        json.WriteStartObject("error"u8);
        json.WriteString("code"u8, ReportedFailure.CodeOf(error) ?? error.Code);
        json.WriteString("message"u8, message);
        json.WriteEndObject();
    }

    /// <summary>The outline with another status and error. All else as it came: its names need not be text.</summary>
    private static ReadOnlySpan<byte> Failed(byte[] outline, ProxyError error, string message)
    {
        var failure = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(failure, ErrorText.JsonOptions))
        {
            json.WriteStartObject();
            WriteFailure(json, error, message);
            json.WriteEndObject();
        }

        var output = new ArrayBufferWriter<byte>(outline.Length + failure.WrittenCount);
        output.Write("{"u8);
        var reader = new Utf8JsonReader(outline, new JsonReaderOptions { MaxDepth = JsonCopy.Reading.MaxDepth });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var start = (int)reader.TokenStartIndex;
            var isOurs = reader.Is("status"u8) || reader.Is("error"u8);
            reader.Read();
            reader.Skip();
            if (!isOurs)
            {
                output.Write(outline.AsSpan(start..(int)reader.BytesConsumed));
                output.Write(","u8);
            }
        }

        output.Write(failure.WrittenSpan[1..]);
        return output.WrittenSpan;
    }

    /// <summary>What clients require of every response.</summary>
    private static void WriteUnborn(Utf8JsonWriter json, string requestId)
    {
        json.WriteString("id"u8, "resp_" + requestId);
        json.WriteString("object"u8, "response"u8);
        json.WriteNumber("created_at"u8, 0);
        json.WriteNull("incomplete_details"u8);
        json.WriteNull("instructions"u8);
        json.WriteStartObject("metadata"u8);
        json.WriteEndObject();
        json.WriteString("model"u8, ""u8);
        json.WriteStartArray("output"u8);
        json.WriteEndArray();
        json.WriteBoolean("parallel_tool_calls"u8, true);
        json.WriteString("tool_choice"u8, "auto"u8);
        json.WriteStartArray("tools"u8);
        json.WriteEndArray();
        json.WriteNull("usage"u8);
    }
}
