using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmProxy.Tests.Support;

/// <summary>An upstream for many streams at once: each gets its first event and then nothing. It costs next to nothing itself.</summary>
public sealed class IdleUpstream : IDisposable
{
    private static readonly byte[] s_answer = Encoding.ASCII.GetBytes(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + Chunk(Sse.Event(Chat.Delta("Hel"))));

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<Socket, bool> _open = new();
    private int _answered;

    public IdleUpstream()
    {
        _listener.Start(4096);
        _ = AcceptAsync();
    }

    public Uri Url => new($"http://{_listener.LocalEndpoint}/v1");

    /// <summary>Connections that are open now.</summary>
    public int Open => _open.Count;

    /// <summary>Streams that were ever begun.</summary>
    public int Answered => Volatile.Read(ref _answered);

    /// <summary>Sends one more event to every stream.</summary>
    public async Task BurstAsync(string data)
    {
        byte[] chunk = Encoding.ASCII.GetBytes(Chunk(Sse.Event(data)));
        foreach (Socket socket in _open.Keys)
        {
            await socket.SendAsync(chunk);
        }
    }

    public void Dispose()
    {
        _stopping.Cancel();
        _listener.Dispose();
        foreach (Socket socket in _open.Keys)
        {
            socket.Dispose();
        }

        _stopping.Dispose();
    }

    private static string Chunk(string text) => $"{Encoding.UTF8.GetByteCount(text):x}\r\n{text}\r\n";

    private async Task AcceptAsync()
    {
        CancellationToken stopping = _stopping.Token;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                Socket socket = await _listener.AcceptSocketAsync(stopping);
                _open[socket] = true;
                _ = ServeAsync(socket, stopping);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket socket, CancellationToken stopping)
    {
        try
        {
            using var stream = new NetworkStream(socket, ownsSocket: true);
            var reader = new WireReader(stream);
            if (await reader.ReadHeadAsync(stopping) is not { } head
                || await WireBody.ReadAsync(reader, WireHeaders.Parse(head), stopping) is null)
            {
                return;
            }

            reader = null;
            Interlocked.Increment(ref _answered);
            await socket.SendAsync(s_answer, stopping);
            await stream.ReadAtLeastAsync(new byte[1], 1, throwOnEndOfStream: false, stopping);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The proxy or the test has left.
        }
        finally
        {
            _open.TryRemove(socket, out _);
        }
    }
}
