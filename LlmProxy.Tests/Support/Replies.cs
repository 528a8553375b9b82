using System.Text;

namespace LlmProxy.Tests.Support;

/// <summary>Scripts for whole answers.</summary>
public static class Replies
{
    /// <summary>What a healthy OpenAI-style server would say to the request.</summary>
    public static Task LikeOpenAI(UpstreamExchange exchange)
    {
        UpstreamRequest request = exchange.Request;
        string path = request.Target;
        Script script = path switch
        {
            _ when path.EndsWith("/chat/completions", StringComparison.Ordinal) => request.AsksForStream
                ? Stream(WantsUsage(request) ? [.. Chat.Words("Hello", " there"), Chat.Usage()] : Chat.Words("Hello", " there"))
                : Json(200, Chat.Completion("Hello there")),
            _ when path.EndsWith("/completions", StringComparison.Ordinal) => request.AsksForStream
                ? Stream(Chat.LegacyDelta("Hello"), Chat.LegacyDelta(" there", "stop"))
                : Json(200, Chat.LegacyCompletion("Hello there")),
            _ when path.EndsWith("/embeddings", StringComparison.Ordinal) =>
                Json(200, Chat.Embedding(base64: (string?)request.Json["encoding_format"] == "base64")),
            _ => Json(404, Chat.Error("No such path at the upstream.", "invalid_request_error", "unknown_url")),
        };
        return script(exchange);
    }

    public static Script Json(int status, string body, params (string Name, string Value)[] headers) =>
        exchange => exchange.AnswerAsync(status, "application/json", Encoding.UTF8.GetBytes(body), headers);

    public static Script Html(int status) =>
        exchange => exchange.AnswerAsync(status, "text/html", "<html><body><h1>Sign in to the hotel network</h1></body></html>"u8.ToArray());

    /// <summary>A status and header fields, no body.</summary>
    public static Script Empty(int status, params (string Name, string Value)[] headers) => async exchange =>
    {
        bool mayHaveLength = status is not 204 and not 304;
        await exchange.HeadAsync(status, mayHaveLength ? [("Content-Length", "0"), .. headers] : headers);
    };

    /// <summary>A whole event stream, one chunk per event, ended by <c>[DONE]</c>.</summary>
    public static Script Stream(params string[] data) => async exchange =>
    {
        await exchange.StreamHeadAsync();
        await exchange.EventsAsync([.. data, "[DONE]"]);
        await exchange.LastChunkAsync();
    };

    /// <summary>A whole event stream of exactly these bytes, in one chunk.</summary>
    public static Script StreamOf(ReadOnlyMemory<byte> bytes) => async exchange =>
    {
        await exchange.StreamHeadAsync();
        await exchange.ChunkAsync(bytes);
        await exchange.LastChunkAsync();
    };

    public static Script StreamOf(string text) => StreamOf(Encoding.UTF8.GetBytes(text));

    /// <summary>The events, then whatever else is to happen.</summary>
    public static Script StreamThen(string[] data, Func<UpstreamExchange, Task> end) => async exchange =>
    {
        await exchange.StreamHeadAsync();
        await exchange.EventsAsync(data);
        await end(exchange);
    };

    /// <summary>Takes the request and never says anything.</summary>
    public static Task Silence(UpstreamExchange exchange) => exchange.StallAsync();

    private static bool WantsUsage(UpstreamRequest request) =>
        request.Json["stream_options"]?["include_usage"]?.GetValueKind() is System.Text.Json.JsonValueKind.True;
}
