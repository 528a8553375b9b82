using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmProxy.Tests.Support;

/// <summary>The other side went away while a script still had something to do. Ends the script, is no failure.</summary>
public sealed class PeerGoneException : Exception;

/// <summary>What a script answers with: any byte, at any moment, and any way to end.</summary>
public sealed class UpstreamExchange(UpstreamRequest request, Socket socket, Task<long> peerClosed, CancellationToken stopping)
{
    /// <summary>The request that is answered.</summary>
    public UpstreamRequest Request { get; } = request;

    /// <summary>Completes with a <see cref="Stopwatch"/> timestamp when the other side has closed or reset the connection.</summary>
    public Task<long> PeerClosed { get; } = peerClosed;

    /// <summary>False: the connection is closed when the script has ended.</summary>
    public bool KeepAlive { get; set; } = true;

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int sent = await socket.SendAsync(bytes, SocketFlags.None, stopping);
            bytes = bytes[sent..];
        }
    }

    /// <summary>The status line and the header fields as given, nothing added.</summary>
    public Task HeadAsync(int status, params (string Name, string Value)[] headers)
    {
        StringBuilder head = new StringBuilder().Append(CultureInfo.InvariantCulture, $"HTTP/1.1 {status} {(HttpStatusCode)status}\r\n");
        foreach ((string name, string value) in headers)
        {
            head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        }

        return SendAsync(head.Append("\r\n").ToString());
    }

    /// <summary>The head of a chunked event stream.</summary>
    public Task StreamHeadAsync(params (string Name, string Value)[] headers) =>
        HeadAsync(200, [("Content-Type", "text/event-stream; charset=utf-8"), ("Transfer-Encoding", "chunked"), .. headers]);

    public Task ChunkAsync(string text) => ChunkAsync(Encoding.UTF8.GetBytes(text));

    /// <summary>One chunk with its framing, in one send.</summary>
    public Task ChunkAsync(ReadOnlyMemory<byte> bytes)
    {
        byte[] size = Encoding.ASCII.GetBytes(bytes.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n");
        return SendAsync((byte[])[.. size, .. bytes.Span, .. "\r\n"u8]);
    }

    /// <summary>One event per chunk.</summary>
    public async Task EventsAsync(params string[] data)
    {
        foreach (string one in data)
        {
            await ChunkAsync(Sse.Event(one));
        }
    }

    public Task LastChunkAsync() => SendAsync("0\r\n\r\n");

    /// <summary>A whole answer with its length.</summary>
    public async Task AnswerAsync(int status, string contentType, ReadOnlyMemory<byte> body, params (string Name, string Value)[] headers)
    {
        string length = body.Length.ToString(CultureInfo.InvariantCulture);
        await HeadAsync(status, [("Content-Type", contentType), ("Content-Length", length), .. headers]);
        await SendAsync(body);
    }

    /// <summary>Goes on when the gate opens; ends the script if the other side closes first.</summary>
    public async Task PauseAsync(Task gate)
    {
        Task first = await Task.WhenAny(gate, PeerClosed, Task.Delay(Timeout.Infinite, stopping));
        if (first != gate)
        {
            throw new PeerGoneException();
        }

        await gate;
    }

    /// <summary>Does nothing until the other side closes.</summary>
    public Task StallAsync() => PauseAsync(new TaskCompletionSource().Task);

    /// <summary>Returns once the other side has taken everything that was sent out of its socket: what follows is another read there.</summary>
    public Task TakenAsync() => Deadline.Until(() => PeerClosed.IsCompleted || SocketQueues.UnreadByPeer(socket) == 0);

    /// <summary>Ends our direction (FIN) and goes on reading.</summary>
    public void HalfClose() => socket.Shutdown(SocketShutdown.Send);

    /// <summary>Cuts the connection (RST).</summary>
    public void Reset()
    {
        KeepAlive = false;
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
    }

    /// <summary>Closes the connection (FIN).</summary>
    public void Close()
    {
        KeepAlive = false;
        socket.Shutdown(SocketShutdown.Both);
        socket.Close();
    }
}
