using System.Buffers;
using System.Text.Json;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Relaying;

/// <summary>Answers <c>models</c> and <c>models/{id}</c> from memory.</summary>
internal static class ModelList
{
    /// <summary>All models of a caller.</summary>
    public static ValueTask<int> WriteAllAsync(HttpContext http, Dialect dialect, IReadOnlyList<string> names, ResponseHeaders headers) =>
        WriteAsync(http, headers, names, dialect.WriteModels);

    /// <summary>One model.</summary>
    public static ValueTask<int> WriteOneAsync(HttpContext http, Dialect dialect, string name, ResponseHeaders headers) =>
        WriteAsync(http, headers, name, dialect.WriteModel);

    private static async ValueTask<int> WriteAsync<T>(HttpContext http, ResponseHeaders headers, T what, Action<Utf8JsonWriter, T> write)
    {
        var output = new ArrayBufferWriter<byte>(1024);
        await using (var json = new Utf8JsonWriter(output, ErrorText.JsonOptions))
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
