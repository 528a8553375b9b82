using System.Buffers.Text;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>
/// What goes over the wire: requests that say what answer they want, and those answers. A request's text starts with
/// <c>plan=EVENTS/INTERVAL;</c> (microseconds), so that one upstream serves every scenario through any proxy.
/// </summary>
internal static class Wire
{
    public const string ClientKey = "sk-stream-latency";
    public const string UpstreamKey = "upstream-key";

    /// <summary>What clients ask for.</summary>
    public const string Model = "bench";

    /// <summary>What the upstream is asked for by proxies that change the model.</summary>
    public const string UpstreamModel = "up-model";

    public const string Path = "/v1/chat/completions";

    /// <summary>Stands before the plan in a request, and before the upstream's clock in an event.</summary>
    public static ReadOnlySpan<byte> Plan => "plan="u8;

    public static ReadOnlySpan<byte> Clock => "\"content\":\"T"u8;

    private const int ClockDigits = 19;
    private const string Head = """{"id":"chatcmpl-123","object":"chat.completion.chunk","created":1760000000,"model":"up-model","choices":[""";

    /// <summary>The head of a stream's answer.</summary>
    public static readonly byte[] StreamHead = Bytes(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\nx-request-id: req-1\r\n\r\n");

    /// <summary>A whole answer of about 400 bytes, head and all.</summary>
    public static readonly byte[] JsonAnswer = MakeJsonAnswer();

    /// <summary>An event of about 220 bytes as a chunk of its own, with room for the clock.</summary>
    private static readonly byte[] _event = Chunk(
        $$$"""data: {{{Head}}}{"index":0,"delta":{"content":"T{{{new string('0', ClockDigits)}}} {{{new string('x', 20)}}}"},"finish_reason":null}]}""" + "\n\n");

    private static readonly int _clockAt = _event.AsSpan().IndexOf(Clock) + Clock.Length;

    public static int EventLength => _event.Length;

    /// <summary>The end of a stream: the event that says why, usage if it was asked for, and <c>[DONE]</c>.</summary>
    public static readonly byte[] End = MakeEnd(usage: false);

    public static readonly byte[] EndWithUsage = MakeEnd(usage: true);

    /// <summary>Writes an event that carries the time of now.</summary>
    /// <returns>The bytes written, <see cref="EventLength"/>.</returns>
    public static int WriteEvent(Span<byte> output)
    {
        _event.CopyTo(output);
        Utf8Formatter.TryFormat(Stopwatch.GetTimestamp(), output.Slice(_clockAt, ClockDigits), out _, new('D', ClockDigits));
        return _event.Length;
    }

    /// <summary>A request with a body of about 200 bytes.</summary>
    public static byte[] Request(int port, bool stream, int events, int interval)
    {
        var body = string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"model":"{{Model}}","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"plan={{events}}/{{interval}};{{new string('z', 40)}}"}],"temperature":0.7,"stream":{{(stream ? "true" : "false")}}}""");
        return Bytes(string.Create(
            CultureInfo.InvariantCulture,
            $"POST {Path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {ClientKey}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
    }

    private static byte[] MakeJsonAnswer()
    {
        var body = $$$"""{"id":"chatcmpl-123","object":"chat.completion","created":1760000000,"model":"{{{UpstreamModel}}}","choices":[{"index":0,"message":{"role":"assistant","content":"{{{new string('y', 125)}}}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}""";
        return Bytes(string.Create(
            CultureInfo.InvariantCulture,
            $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\nx-request-id: req-1\r\n\r\n{body}"));
    }

    private static byte[] MakeEnd(bool usage)
    {
        var end = "data: " + Head + """{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\n";
        var used = "data: " + Head + """],"usage":{"prompt_tokens":11,"completion_tokens":100,"total_tokens":111}}""" + "\n\n";
        return [.. Chunk(end + (usage ? used : "") + "data: [DONE]\n\n"), .. "0\r\n\r\n"u8];
    }

    private static byte[] Chunk(string text) => Bytes(string.Create(CultureInfo.InvariantCulture, $"{text.Length:x}\r\n{text}\r\n"));

    private static byte[] Bytes(string text) => Encoding.ASCII.GetBytes(text);
}
