using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary>The running instance that <c>ask</c> talks to, as any OpenAI client would.</summary>
internal sealed class AskedInstance : IDisposable
{
    private const string Data = "data:";

    private readonly HttpClient _http;
    private readonly Uri _server;

    public AskedInstance(Uri server, string? key)
    {
        _server = new Uri(server.GetLeftPart(UriPartial.Authority));
        // A proxy of the environment is for the way out, not for this machine.
        var handler = new SocketsHttpHandler { UseProxy = !server.IsLoopback };
        _http = new HttpClient(handler, disposeHandler: true) { BaseAddress = _server, Timeout = Timeout.InfiniteTimeSpan };
        if (!string.IsNullOrEmpty(key))
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }
    }

    /// <summary>The first model that this key may use.</summary>
    public async Task<string> FindModelAsync(CancellationToken cancellation) =>
        await ListModelsAsync(cancellation) is [var first, ..] ? first : throw new RefusedException("The instance lists no model. Name one with --model.");

    /// <summary>The models that this key may use; patterns are not among them.</summary>
    public async Task<IReadOnlyList<string>> ListModelsAsync(CancellationToken cancellation)
    {
        using var response = await SendAsync(new HttpRequestMessage(HttpMethod.Get, "/v1/models"), cancellation);
        using var body = await ReadJsonAsync(response, cancellation);
        return body.RootElement.ValueKind == JsonValueKind.Object && body.RootElement.TryGetProperty("data", out var models) && models.ValueKind == JsonValueKind.Array
            ? [.. models.EnumerateArray().Select(static model => Member(model, "id")).OfType<string>()]
            : [];
    }

    /// <summary>Asks, and prints the answer word by word.</summary>
    public async Task AskAsync(string model, string question, TextWriter output, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = Body(model, question) };
        using var response = await SendAsync(request, cancellation);
        try
        {
            using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(cancellation), Encoding.UTF8);
            while (await lines.ReadLineAsync(cancellation) is { } line)
            {
                var data = line.StartsWith(Data, StringComparison.Ordinal) ? line[Data.Length..].Trim() : "";
                if (data == "[DONE]")
                {
                    await output.WriteLineAsync();
                    return;
                }

                if (data.Length > 0)
                {
                    await PrintAsync(data, output, cancellation);
                }
            }
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException or JsonException)
        {
            // An answer that ends without its closing event says all that there is to say.
        }

        throw new RefusedException("The answer broke off before its end.");
    }

    public void Dispose() => _http.Dispose();

    private static async Task PrintAsync(string data, TextWriter output, CancellationToken cancellation)
    {
        using var chunk = JsonDocument.Parse(data);
        if (ErrorMessage(chunk.RootElement) is { } error)
        {
            throw new RefusedException(error);
        }

        if (chunk.RootElement.TryGetProperty("choices", out var choices) && choices.ValueKind == JsonValueKind.Array && choices.GetArrayLength() > 0
            && choices[0].TryGetProperty("delta", out var delta) && Member(delta, "content") is { } text)
        {
            await output.WriteAsync(text.AsMemory(), cancellation);
            await output.FlushAsync(cancellation);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        HttpResponseMessage response;
        try
        {
            response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        }
        catch (HttpRequestException unreachable)
        {
            throw new RefusedException(unreachable.HttpRequestError == HttpRequestError.ConnectionError
                ? $"No LlmProxy answers at {_server}. Start one with: llmproxy"
                : $"{_server} cannot be asked: {unreachable.Message}");
        }

        if (response.StatusCode == HttpStatusCode.OK)
        {
            return response;
        }

        using (response)
        {
            using var body = await ReadJsonAsync(response, cancellation);
            var hint = response.StatusCode == HttpStatusCode.Unauthorized ? " Give a key with --key or LLMPROXY_CLIENT_KEY." : "";
            throw new RefusedException($"{(int)response.StatusCode}  {ErrorMessage(body.RootElement) ?? "no reason was given"}{hint}");
        }
    }

    private async Task<JsonDocument> ReadJsonAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        try
        {
            return JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(cancellation));
        }
        catch (Exception unreadable) when (unreadable is JsonException or HttpRequestException or IOException)
        {
            throw new RefusedException($"{_server} answered {(int)response.StatusCode} and no JSON: is it LlmProxy?");
        }
    }

    private static string? ErrorMessage(JsonElement root) =>
        root.ValueKind == JsonValueKind.Object && root.TryGetProperty("error", out var error) && Member(error, "message") is { } message
            ? Visible.Line(message)
            : null;

    private static string? Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    private static ByteArrayContent Body(string model, string question)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("model"u8, model);
            json.WriteBoolean("stream"u8, true);
            json.WriteStartArray("messages"u8);
            json.WriteStartObject();
            json.WriteString("role"u8, "user"u8);
            json.WriteString("content"u8, question);
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return new ByteArrayContent(buffer.WrittenSpan.ToArray()) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
    }
}
