using System.Buffers;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Benchmarks.Requests;

/// <summary>What server and HTTP client allocate by themselves for the same bytes: what is more of a request through the proxy is the proxy's.</summary>
internal static class BareApp
{
    private const int LongestAnswer = 64 * 1024;

    /// <summary>The server alone: reads the request and answers at once.</summary>
    public static async Task AnswerAsync(HttpContext http)
    {
        var request = await ReadAsync(http);
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = request.Length;
        await http.Response.BodyWriter.WriteAsync(request.First);
        http.Request.BodyReader.AdvanceTo(request.End);
    }

    /// <summary>Server and HTTP client: sends on what the proxy would, with as many headers, and answers with what comes back.</summary>
    public static RequestDelegate ForwardTo(Uri upstream)
    {
        var address = new Uri(upstream.AbsoluteUri + "/chat/completions");
        var client = new HttpMessageInvoker(new SocketsHttpHandler { UseCookies = false, UseProxy = false, ActivityHeadersPropagator = null });
        return async http =>
        {
            var request = await ReadAsync(http);
            using var message = new HttpRequestMessage(HttpMethod.Post, address) { Content = new ReadOnlyMemoryContent(request.First) };
            message.Content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
            Pass(http.Request.Headers, message.Headers);
            using var response = await client.SendAsync(message, http.RequestAborted);
            http.Request.BodyReader.AdvanceTo(request.End);
            foreach (var (name, values) in response.Headers.NonValidated)
            {
                if (name.Length == "openai-processing-ms".Length || name.Length == "x-request-id".Length)
                {
                    http.Response.Headers[name] = values.ToString();
                }
            }

            var buffer = ArrayPool<byte>.Shared.Rent(LongestAnswer);
            var body = response.Content.ReadAsStream();
            var length = 0;
            for (int count; (count = await body.ReadAsync(buffer.AsMemory(length))) > 0;)
            {
                length += count;
            }

            http.Response.ContentType = "application/json";
            http.Response.ContentLength = length;
            await http.Response.BodyWriter.WriteAsync(buffer.AsMemory(0, length));
            ArrayPool<byte>.Shared.Return(buffer);
        };
    }

    private static void Pass(IHeaderDictionary from, HttpRequestHeaders to)
    {
        foreach (var (name, values) in from)
        {
            if (name is "Accept" or "User-Agent" || name.StartsWith("x-stainless-", StringComparison.OrdinalIgnoreCase))
            {
                to.TryAddWithoutValidation(name, values.ToString());
            }
        }

        to.TryAddWithoutValidation("x-llmproxy-via", "0123456789ab");
        to.TryAddWithoutValidation("Authorization", "Bearer sk-upstream");
    }

    private static async ValueTask<ReadOnlySequence<byte>> ReadAsync(HttpContext http)
    {
        var reader = http.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync();
            if (read.IsCompleted)
            {
                return read.Buffer;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }
}
