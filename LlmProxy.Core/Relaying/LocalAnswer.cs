using System.Buffers;
using System.Text.Json;
using LlmProxy.Core.Protocol;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Relaying;

/// <summary>A JSON answer of our own, made whole in memory.</summary>
internal static class LocalAnswer
{
    /// <returns>How many bytes went out.</returns>
    public static async ValueTask<int> WriteAsync<T>(HttpContext http, ResponseHeaders headers, T what, Action<Utf8JsonWriter, T> write)
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
