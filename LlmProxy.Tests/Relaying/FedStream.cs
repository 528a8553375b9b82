using System.Threading.Tasks.Sources;

namespace LlmProxy.Tests.Relaying;

/// <summary>
/// An upstream's body in pieces, one for each read. Pieces given beforehand are there at once; after them a reader waits until
/// it is supplied with the next, on the supplier's thread. Nothing is allocated.
/// </summary>
internal sealed class FedStream(params IEnumerable<ReadOnlyMemory<byte>> pieces) : Stream, IValueTaskSource<int>
{
    private readonly Queue<ReadOnlyMemory<byte>> _pieces = new(pieces);
    private ManualResetValueTaskSourceCore<int> _waiting;
    private ReadOnlyMemory<byte> _piece;

    /// <summary>Ends when the pieces are used up; else the reader waits.</summary>
    public bool Ends { get; init; } = true;

    /// <summary>Thrown where it would end.</summary>
    public Exception? Breaks { get; init; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Gives the waiting reader a piece; returns when it has done with it.</summary>
    public void Supply(ReadOnlyMemory<byte> piece)
    {
        // The tests' own context would take the reader to another thread; a server has none.
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        _piece = piece;
        _waiting.SetResult(0);
        SynchronizationContext.SetSynchronizationContext(context);
    }

    /// <summary>Breaks under the waiting reader.</summary>
    public void Fail(Exception exception) => _waiting.SetException(exception);

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_piece.IsEmpty && !_pieces.TryDequeue(out _piece))
        {
            if (Breaks is not null)
            {
                return ValueTask.FromException<int>(Breaks);
            }

            if (Ends)
            {
                return default;
            }

            _waiting.Reset();
            return new ValueTask<int>(this, _waiting.Version);
        }

        var count = Math.Min(_piece.Length, buffer.Length);
        _piece[..count].CopyTo(buffer);
        _piece = _piece[count..];
        return new ValueTask<int>(count);
    }

    int IValueTaskSource<int>.GetResult(short token) => _waiting.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _waiting.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _waiting.OnCompleted(continuation, state, token, flags);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
