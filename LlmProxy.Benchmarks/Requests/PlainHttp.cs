using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;

namespace LlmProxy.Benchmarks.Requests;

/// <summary>Just so much HTTP/1.1 over blocking sockets that it costs no memory: what a benchmark counts then is the proxy's.</summary>
internal sealed class PlainHttp : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[1 << 20];
    private readonly Action<int>? _seen;
    private int _filled;

    /// <param name="socket">Its own from here on.</param>
    /// <param name="seen">Is told how many events of a stream have come, whenever some did.</param>
    public PlainHttp(Socket socket, Action<int>? seen = null)
    {
        _socket = socket;
        _seen = seen;
        _socket.NoDelay = true;
    }

    public static PlainHttp Connect(Uri address, Action<int>? seen = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(new IPEndPoint(IPAddress.Loopback, address.Port));
        return new PlainHttp(socket, seen);
    }

    public void Send(ReadOnlySpan<byte> bytes) => _socket.Send(bytes);

    /// <summary>Reads a message with a length, or one in chunks to its last; it is good until the next call.</summary>
    /// <returns>Empty if the other side has closed.</returns>
    public ReadOnlySpan<byte> Read()
    {
        _filled = 0;
        var events = 0;
        while (true)
        {
            if (_filled == _buffer.Length)
            {
                throw new InvalidOperationException("A message is longer than any that is played here.");
            }

            var count = _socket.Receive(_buffer.AsSpan(_filled));
            if (count == 0)
            {
                return default;
            }

            _filled += count;
            if (_seen is not null)
            {
                var before = events;
                events = _buffer.AsSpan(0, _filled).Count("\n\n"u8);
                _seen(events - before);
            }

            if (IsWhole(_buffer.AsSpan(0, _filled)))
            {
                return _buffer.AsSpan(0, _filled);
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    private static bool IsWhole(ReadOnlySpan<byte> message)
    {
        var head = message.IndexOf("\r\n\r\n"u8);
        if (head < 0)
        {
            return false;
        }

        var at = message[..head].IndexOf("Content-Length: "u8);
        return at < 0 ? message.EndsWith("\r\n0\r\n\r\n"u8)
            : Utf8Parser.TryParse(message[(at + 16)..], out int length, out _) && message.Length >= head + 4 + length;
    }
}
