using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using LlmProxy.Benchmarks.Payloads;

namespace LlmProxy.Benchmarks.Requests;

/// <summary>An upstream that says the same to everybody, without a byte of memory.</summary>
internal sealed class PlainUpstream : IDisposable
{
    private const string Answer =
        """{"id":"chatcmpl-CxF2b0mTq8e9wYtVJx3nKpRd7sLhA","object":"chat.completion","created":1767225600,"model":"gpt-5-mini-2025-08-07","choices":[{"index":0,"message":{"role":"assistant","content":"The cache was cold.","refusal":null,"annotations":[]},"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":6,"total_tokens":25,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"service_tier":"default","system_fingerprint":null}""";

    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly SemaphoreSlim _seen = new(0);
    private readonly byte[][] _answer;

    /// <param name="events">Of a stream; 0 for a whole answer.</param>
    /// <param name="isOneByOne">Each event is sent when the client has <see cref="Seen"/> the one before it, else all at once.</param>
    public PlainUpstream(int events, bool isOneByOne = false)
    {
        _answer = events == 0 ? [Message("application/json", $"Content-Length: {Answer.Length}\r\n\r\n{Answer}")]
            : isOneByOne ? PiecesOf(ChatStream.Create(events))
            : [StreamOf(ChatStream.Create(events))];
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        Start(Accept);
    }

    public Uri Url => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndPoint!).Port}/v1"));

    /// <summary>The client has got so many events more.</summary>
    public void Seen(int events)
    {
        if (events > 0)
        {
            _seen.Release(events);
        }
    }

    public void Dispose() => _listener.Dispose();

    private static byte[] StreamOf(byte[] events) =>
        Message("text/event-stream", $"Transfer-Encoding: chunked\r\n\r\n{events.Length:x}\r\n{Encoding.UTF8.GetString(events)}\r\n0\r\n\r\n");

    private static byte[][] PiecesOf(byte[] events)
    {
        var chunks = Encoding.UTF8.GetString(events).Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(static e => $"{Encoding.UTF8.GetByteCount(e) + 2:x}\r\n{e}\n\n\r\n").ToArray();
        chunks[^1] += "0\r\n\r\n";

        // The first says nothing yet: the proxy waits with it for the second.
        return [Message("text/event-stream", "Transfer-Encoding: chunked\r\n\r\n" + chunks[0]), .. chunks[1..].Select(Encoding.UTF8.GetBytes)];
    }

    private static byte[] Message(string type, string rest) =>
        Encoding.UTF8.GetBytes($"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: {type}\r\nx-request-id: req_0123456789abcdef\r\nopenai-processing-ms: 412\r\nServer: plain\r\n{rest}");

    private void Accept()
    {
        try
        {
            while (true)
            {
                var socket = _listener.Accept();
                Start(() => Serve(socket));
            }
        }
        catch (SocketException)
        {
            // Closed.
        }
    }

    private void Serve(Socket socket)
    {
        using var http = new PlainHttp(socket);
        try
        {
            while (!http.Read().IsEmpty)
            {
                for (var i = 0; i < _answer.Length; i++)
                {
                    http.Send(_answer[i]);
                    for (var seen = i == 1 ? 2 : i > 1 ? 1 : 0; seen > 0; seen--)
                    {
                        _seen.Wait();
                    }
                }
            }
        }
        catch (SocketException)
        {
            // The proxy has gone.
        }
    }

    private static void Start(ThreadStart run) => new Thread(run) { IsBackground = true }.Start();
}
