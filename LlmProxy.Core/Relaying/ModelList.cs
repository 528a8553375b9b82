using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Relaying;

/// <summary>Answers <c>models</c> and <c>models/{id}</c> from memory.</summary>
internal static class ModelList
{
    /// <summary>All models of a caller.</summary>
    public static ValueTask<int> WriteAllAsync(HttpContext http, IEnumerable<string> names, ResponseHeaders headers) =>
        WriteAsync(http, headers, names, static (json, names) =>
        {
            json.WriteStartObject();
            json.WriteString("object"u8, "list"u8);
            json.WriteStartArray("data"u8);
            foreach (var name in names)
            {
                WriteModel(json, name);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });

    /// <summary>One model.</summary>
    public static ValueTask<int> WriteOneAsync(HttpContext http, string name, ResponseHeaders headers) =>
        WriteAsync(http, headers, name, WriteModel);

    private static void WriteModel(Utf8JsonWriter json, string name)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, name);
        json.WriteString("object"u8, "model"u8);
        // Clients require a number; when a model was made is not ours to know.
        json.WriteNumber("created"u8, 0);
        json.WriteString("owned_by"u8, "llmproxy"u8);
        json.WriteEndObject();
    }

    private static async ValueTask<int> WriteAsync<T>(HttpContext http, ResponseHeaders headers, T what, Action<Utf8JsonWriter, T> write)
    {
        var output = new ArrayBufferWriter<byte>(1024);
        await using (var json = new Utf8JsonWriter(output, Protocol.ErrorText.JsonOptions))
        {
            write(json, what);
        }

        headers.Apply(http.Response, null);
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = output.WrittenCount;
        if (HttpMethods.IsHead(http.Request.Method))
        {
            await http.Response.StartAsync();
            return 0;
        }

        await http.Response.BodyWriter.WriteAsync(output.WrittenMemory);
        return output.WrittenCount;
    }
}
