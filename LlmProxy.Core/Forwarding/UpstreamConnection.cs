using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace LlmProxy.Core.Forwarding;

/// <summary>
/// An HTTP/1.1 connection, without its encryption, that knows whether it has carried a request before and whether the one
/// that it carries now was answered by a single byte. The HTTP client tells neither.
/// </summary>
/// <remarks>
/// Each request waits for its first bytes here. The wait is an object of the connection's, not of each request: a stream has one
/// reader, which begins no read before the one before it has ended.
/// <para>
/// Who reads an answer of many chunks may wait for the next here instead of at the HTTP client, which makes an object for each
/// such wait: see <see cref="WaitAsync"/>.
/// </para>
/// </remarks>
internal sealed class UpstreamConnection(Stream inner) : Stream, IValueTaskSource<int>
{
    [ThreadStatic]
    private static bool _isSought;

    [ThreadStatic]
    private static UpstreamConnection? _found;

    private readonly Socket? _socket = SocketOf(inner);
    private ManualResetValueTaskSourceCore<int> _read;
    private ConfiguredValueTaskAwaitable<int>.ConfiguredValueTaskAwaiter _reading;
    private Action? _onRead;
    private long _attempt;
    private long _readAheadOf = -1;
    private volatile bool _isAnswered = true;
    private bool _isUsed;
    private bool _isReading;
    private ChunkCourse _chunks = new();
    private Memory<byte> _room;
    private int _sent;

    /// <summary>Something was read since the last request began.</summary>
    public bool IsAnswered => _isAnswered;

    /// <summary>Changes with whatever is sent.</summary>
    public int Sent => Volatile.Read(ref _sent);

    /// <summary>
    /// The answer that was being read at <paramref name="sent"/> goes on, if its head says that it comes in chunks: its end has not been
    /// read of this connection. So the HTTP client has neither ended it nor given the connection to another request.
    /// </summary>
    public bool IsInAnswer(int sent) => _chunks.IsInside && Sent == sent;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    // An answer's first bytes are noticed, also by a read that the HTTP client begins before it sends the request: it does so
    // when it takes an idle connection, and not when one is handed to a request that has waited. Whatever is read later costs one look.
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_isSought)
        {
            // Of two with encryption between them the one whose bytes are the answer's.
            _found ??= this;
        }

        var isOfNext = IsOfNextAttempt;
        if (isOfNext && _isAnswered)
        {
            _readAheadOf = Attempt.Current!.Number;
        }

        return _isAnswered && !_chunks.IsFollowing && !isOfNext ? inner.ReadAsync(buffer, cancellationToken) : ReadNotedAsync(buffer, cancellationToken);
    }

    /// <summary>Waits for something to read of an answer's body as its reader would, and tells the connection that it comes from.</summary>
    /// <param name="body">The HTTP client's own.</param>
    /// <param name="cancellation">Ends the wait, and the connection.</param>
    /// <param name="connection">Null if there is none of HTTP/1.1, or if something was there already.</param>
    public static ValueTask<int> WaitFor(Stream body, CancellationToken cancellation, out UpstreamConnection? connection)
    {
        _isSought = true;
        try
        {
            return body.ReadAsync(Memory<byte>.Empty, cancellation);
        }
        finally
        {
            connection = _found;
            _isSought = false;
            _found = null;
        }
    }

    /// <summary>
    /// Waits for more of an answer that goes on (<see cref="IsInAnswer"/>) and whose reader has been given all that came; he reads nothing meanwhile. Only
    /// <see cref="Dispose(bool)"/> cuts it off.
    /// </summary>
    public ValueTask<int> WaitAsync() => inner.ReadAsync(Memory<byte>.Empty, CancellationToken.None);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        NoteWrite();
        if (_socket is not null && !cancellationToken.IsCancellationRequested)
        {
            // The kernel takes nearly every request at once. A write that may wait keeps 300 bytes for that as long as its connection lives.
            var count = _socket.Send(buffer.Span, SocketFlags.None, out var error);
            if (error == SocketError.Success)
            {
                if (count == buffer.Length)
                {
                    return default;
                }

                buffer = buffer[count..];
            }
        }

        return inner.WriteAsync(buffer, cancellationToken);
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        var count = inner.Read(buffer);
        _chunks.Lose();
        _isAnswered |= count > 0;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        NoteWrite();
        inner.Write(buffer);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush() => inner.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>The socket below, if there is no encryption in between. What is sent on it from now on never waits.</summary>
    private static Socket? SocketOf(Stream stream)
    {
        if (stream is not NetworkStream { Socket: { } socket })
        {
            return null;
        }

        socket.Blocking = false;
        return socket;
    }

    private bool IsOfNextAttempt => Attempt.Current is { } attempt && attempt.Number != _attempt;

    int IValueTaskSource<int>.GetResult(short token) => _read.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _read.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _read.OnCompleted(continuation, state, token, flags);

    private ValueTask<int> ReadNotedAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        var reading = inner.ReadAsync(buffer, cancellation);
        if (reading.IsCompletedSuccessfully)
        {
            return new ValueTask<int>(Note(buffer, reading.Result));
        }

        if (reading.IsCompleted)
        {
            return reading;
        }

        if (_isReading)
        {
            // Who gave up a read and drains what is left: as wrong as ever, but not more so.
            _chunks.Lose();
            return reading;
        }

        _isReading = true;
        _read.Reset();
        _room = buffer;
        _reading = reading.ConfigureAwait(false).GetAwaiter();
        _reading.UnsafeOnCompleted(_onRead ??= OnRead);
        return new ValueTask<int>(this, _read.Version);
    }

    // Noted when it happens and not when somebody asks: what was answered while its request was still being written is never sent again.
    private void OnRead()
    {
        var (reading, room) = (_reading, _room);
        (_reading, _room) = (default, default);
        _isReading = false;
        int count;
        try
        {
            count = Note(room, reading.GetResult());
        }
        catch (Exception e)
        {
            _read.SetException(e);
            return;
        }

        _read.SetResult(count);
    }

    private int Note(Memory<byte> room, int count)
    {
        if (count > 0)
        {
            _isAnswered = true;
            _chunks.Follow(room.Span[..count]);
        }

        return count;
    }

    // The first write after an answer is the next request, unless the answer came while its own request was still being sent.
    private void NoteWrite()
    {
        // In this order: who finds that an answer goes on then knows whether it is the one that he means.
        Volatile.Write(ref _sent, _sent + 1);
        _chunks.Expect();
        if (!_isAnswered || !IsOfNextAttempt)
        {
            _isUsed = true;
            return;
        }

        // Its number alone: the attempt need not live as long as its answer.
        var attempt = Attempt.Current!;
        _attempt = attempt.Number;
        attempt.NoteSent(this, _isUsed, _readAheadOf == attempt.Number);
        _isUsed = true;
        _isAnswered = false;
    }
}
