using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace LlmProxy.Benchmarks.Payloads;

/// <summary>Requests as coding agents send them first: a long system prompt, two dozen tools with their schemas, a short question.</summary>
internal static class AgentBody
{
    private const string Paragraph =
        "You are an interactive agent that helps users with software engineering tasks. Use the instructions below and the tools "
        + "available to you to assist the user. Keep answers short, say what you did, and ask before anything that cannot be undone.\n"
        + "# Tone\n- Be \"concise\".\n- Never guess at a path\\name; look first.\n\n";

    /// <summary>A body of about that many bytes; <c>model</c> comes first as most clients write it, <c>stream</c> last.</summary>
    public static byte[] Create(int bytes = 72 << 10)
    {
        var prompt = new StringBuilder();
        while (prompt.Length < bytes * 11 / 20)
        {
            prompt.Append(Paragraph);
        }

        var buffer = new ArrayBufferWriter<byte>(bytes + 8192);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteString("model", "gpt-5");
        json.WriteStartArray("messages");
        WriteMessage(json, "system", prompt.ToString());
        WriteMessage(json, "user", "Why does the build fail? Gr\u00fc\u00dfe \ud83d\ude80");
        json.WriteEndArray();
        json.WriteNumber("temperature", 1);
        json.WriteStartArray("tools");
        for (var i = 0; json.BytesCommitted + json.BytesPending < bytes - 256; i++)
        {
            WriteTool(json, i);
        }

        json.WriteEndArray();
        json.WriteString("tool_choice", "auto");
        json.WriteNumber("max_completion_tokens", 32000);
        json.WriteBoolean("stream", true);
        json.WriteStartObject("stream_options");
        json.WriteBoolean("include_usage", true);
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The same bytes in segments of that size, as a server's pipe holds them.</summary>
    public static ReadOnlySequence<byte> InSegments(byte[] body, int size = 4096)
    {
        var first = new Segment(body.AsMemory(0, Math.Min(size, body.Length)), null);
        var last = first;
        for (var at = size; at < body.Length; at += size)
        {
            last = new Segment(body.AsMemory(at, Math.Min(size, body.Length - at)), last);
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private static void WriteMessage(Utf8JsonWriter json, string role, string content)
    {
        json.WriteStartObject();
        json.WriteString("role", role);
        json.WriteString("content", content);
        json.WriteEndObject();
    }

    private static void WriteTool(Utf8JsonWriter json, int i)
    {
        json.WriteStartObject();
        json.WriteString("type", "function");
        json.WriteStartObject("function");
        json.WriteString("name", string.Create(CultureInfo.InvariantCulture, $"tool_{i}"));
        json.WriteString("description", Paragraph);
        json.WriteStartObject("parameters");
        json.WriteString("type", "object");
        json.WriteStartObject("properties");
        foreach (var name in (string[])["file_path", "old_string", "new_string", "replace_all", "timeout"])
        {
            json.WriteStartObject(name);
            json.WriteString("type", "string");
            json.WriteString("description", "The absolute path to the file, or what to do with it once it was found");
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteStartArray("required");
        json.WriteStringValue("file_path");
        json.WriteEndArray();
        json.WriteBoolean("additionalProperties", false);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, Segment? before)
        {
            Memory = memory;
            if (before is not null)
            {
                RunningIndex = before.RunningIndex + before.Memory.Length;
                before.Next = this;
            }
        }
    }
}
