using System.Runtime.CompilerServices;

namespace LlmProxy.Core.Forwarding;

/// <summary>How the reader of a committed stream waits for more of it. No memory is held meanwhile.</summary>
/// <remarks>
/// Where all that came of a chunked answer has been read, its connection itself is waited for: a wait at the HTTP client's stream makes an object of
/// 180 bytes each time. What comes there may be nothing to read yet, so it is waited for once more at the stream, which mostly has something by then.
/// </remarks>
/// <param name="rest">The stream.</param>
/// <param name="isChunked">It is the HTTP client's own, of an answer in chunks: the first wait tells its connection.</param>
internal sealed class StreamWait(Stream rest, bool isChunked)
{
    private UpstreamConnection? _connection;
    private int _sent;
    private CancellationTokenRegistration _cut;
    private Place _place;
    private bool _isDrained;

    private enum Place
    {
        /// <summary>At the stream, or nowhere yet.</summary>
        Stream,

        /// <summary>At the connection, now.</summary>
        Connection,

        /// <summary>At the connection, until just now: next it is the stream's turn.</summary>
        ConnectionEnded,
    }

    /// <summary>Begins to wait until something can be read, or the stream's end.</summary>
    public ValueTask<int> BeginAsync(CancellationToken cancellation)
    {
        if (_place != Place.ConnectionEnded && _isDrained && _connection?.IsInAnswer(_sent) == true)
        {
            // As the HTTP client does: nobody else reads this connection, nor has it, for its answer has not ended.
            _place = Place.Connection;
            _cut = cancellation.UnsafeRegister(static connection => ((UpstreamConnection)connection!).Dispose(), _connection);
            return _connection.WaitAsync();
        }

        _place = Place.Stream;
        if (!isChunked || _connection is not null)
        {
            return rest.ReadAsync(Memory<byte>.Empty, cancellation);
        }

        var wait = UpstreamConnection.WaitFor(rest, cancellation, out _connection);
        _sent = _connection?.Sent ?? 0;
        return wait;
    }

    /// <summary>The wait has ended.</summary>
    /// <returns>False: something has come, and perhaps nothing to read. It is to be waited for once more.</returns>
    /// <exception cref="IOException">It failed, or was cut off.</exception>
    /// <exception cref="OperationCanceledException">It was cut off.</exception>
    public bool End(in ValueTaskAwaiter<int> wait)
    {
        var isAtStream = _place == Place.Stream;
        if (!isAtStream)
        {
            _place = Place.ConnectionEnded;

            // Returns once the connection is disposed of, if that is being done: from here on it may be given to others.
            _cut.Dispose();
        }

        wait.GetResult();
        return isAtStream;
    }

    /// <summary>So much was read into so much room.</summary>
    public void NoteRead(int count, int room) => _isDrained = count < room;

    /// <summary>Nobody waits any more. A wait at the connection that was left is ended with it: whoever drains it must not be beside that.</summary>
    public void Leave()
    {
        if (_place == Place.Connection)
        {
            _place = Place.ConnectionEnded;
            _cut.Dispose();
            _connection!.Dispose();
        }
    }
}
