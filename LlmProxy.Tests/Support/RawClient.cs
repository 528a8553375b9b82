using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmProxy.Tests.Support;

/// <summary>An HTTP/1.1 client that sends any bytes and shows every byte that came back.</summary>
public sealed class RawClient : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly Stream _stream;
    private readonly WireReader _reader;

    private RawClient(Socket socket, Stream stream)
    {
        _socket = socket;
        _stream = stream;
        _reader = new WireReader(stream);
    }

    /// <summary>Called with everything that was received when the client is disposed.</summary>
    public event Action<ReadOnlyMemory<byte>>? Disposed;

    /// <summary>Called with every final response head.</summary>
    public event Action<WireHeaders>? Answered;

    /// <summary>The last final response whose head has come.</summary>
    public RawResponse? LastResponse { get; private set; }

    /// <summary>True once the test has ended its side.</summary>
    public bool IsClosedByTest { get; private set; }

    /// <summary>Every byte that came.</summary>
    public ReadOnlyMemory<byte> Received => _reader.Transcript;

    public IReadOnlyList<Arrival> Arrivals => _reader.Arrivals;

    public static async Task<RawClient> ConnectAsync(EndPoint endPoint, int? receiveBuffer = null)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveBuffer is { } size)
        {
            socket.ReceiveBufferSize = size;
        }

        await socket.ConnectAsync(endPoint);
        return new RawClient(socket, new NetworkStream(socket, ownsSocket: true));
    }

    /// <summary>A request with its length and Host; further fields as given, one line each, in order.</summary>
    public static byte[] Request(string method, string target, ReadOnlySpan<byte> body, params string[] fields)
    {
        StringBuilder head = new StringBuilder().Append(CultureInfo.InvariantCulture, $"{method} {target} HTTP/1.1\r\nHost: proxy.test\r\n");
        foreach (string field in fields)
        {
            head.Append(field).Append("\r\n");
        }

        if (body.Length > 0 || method is "POST" or "PUT")
        {
            head.Append(CultureInfo.InvariantCulture, $"Content-Length: {body.Length}\r\n");
        }

        return [.. Encoding.UTF8.GetBytes(head.Append("\r\n").ToString()), .. body];
    }

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        using CancellationTokenSource deadline = Deadline.Source();
        await _stream.WriteAsync(bytes, deadline.Token);
    }

    /// <summary>Waits for an interim response and gives its status; fails if a final one comes instead.</summary>
    public async Task<int> ReadInterimAsync()
    {
        using CancellationTokenSource deadline = Deadline.Source();
        byte[] head = await _reader.ReadHeadAsync(deadline.Token) ?? throw new EndOfStreamException("The connection was closed instead of an interim response.");
        var response = new RawResponse(_reader, head, bodyless: true);
        return response.Status < 200 ? response.Status : throw new InvalidDataException($"A final response instead of an interim one: {response.Headers.StartLine}");
    }

    /// <summary>Waits for the head of the next final response; interim ones are passed over.</summary>
    public async Task<RawResponse> ReadHeadAsync(bool bodyless = false)
    {
        using CancellationTokenSource deadline = Deadline.Source();
        while (true)
        {
            byte[] head;
            try
            {
                head = await _reader.ReadHeadAsync(deadline.Token)
                    ?? throw new EndOfStreamException($"The connection was closed instead of an answer. Received: {Encoding.UTF8.GetString(Received.Span)}");
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"No answer within {Deadline.Default.TotalSeconds} s. Received: {Encoding.UTF8.GetString(Received.Span)}");
            }

            var response = new RawResponse(_reader, head, bodyless);
            if (response.Status >= 200)
            {
                LastResponse = response;
                Answered?.Invoke(response.Headers);
                return response;
            }
        }
    }

    /// <summary>Waits for the whole of the next final response, however it ends.</summary>
    public async Task<RawResponse> ReadAsync(bool bodyless = false) => await (await ReadHeadAsync(bodyless)).ReadToEndAsync();

    /// <summary>Waits until the other side has closed or cut the connection; fails if it goes on talking.</summary>
    public async Task WaitForCloseAsync()
    {
        using CancellationTokenSource deadline = Deadline.Source();
        try
        {
            if (await _reader.FillAsync(deadline.Token))
            {
                throw new InvalidDataException($"Bytes instead of a close: {Encoding.UTF8.GetString(_reader.Buffered)}");
            }
        }
        catch (IOException)
        {
            // A reset.
        }
    }

    /// <summary>Ends our direction (FIN).</summary>
    public void HalfClose()
    {
        IsClosedByTest = true;
        _socket.Shutdown(SocketShutdown.Send);
    }

    /// <summary>Closes (FIN).</summary>
    public void Close()
    {
        IsClosedByTest = true;
        _socket.Shutdown(SocketShutdown.Both);
        _socket.Close();
    }

    /// <summary>Cuts (RST).</summary>
    public void Reset()
    {
        IsClosedByTest = true;
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Close();
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        Disposed?.Invoke(Received);
    }
}
