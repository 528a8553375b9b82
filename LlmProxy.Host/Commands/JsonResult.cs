using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary>Prints one JSON object as a command's result.</summary>
internal static class JsonResult
{
    /// <summary>An object with one array.</summary>
    public static void PrintList(string member, IReadOnlyList<JsonElement> all) => Print(json =>
    {
        json.WriteStartArray(member);
        foreach (var one in all)
        {
            one.WriteTo(json);
        }

        json.WriteEndArray();
    });

    public static void Print(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        // Nothing of this ends up in HTML; paths and versions stay readable.
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        Writers.Results.WriteLine(Encoding.UTF8.GetString(buffer.WrittenSpan));
    }
}
