using System.Threading.Tasks.Sources;

namespace LlmProxy.Benchmarks.Relaying;

/// <summary>
/// An upstream's body from memory. Paced: one event per read, and what waits for it is really made to wait, though the wait
/// is over at once. Else: as many bytes as fit.
/// </summary>
internal sealed class ReplayedStream(byte[] bytes, bool paced) : Stream, IValueTaskSource<int>
{
    private int _position;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
        {
            return paced ? new ValueTask<int>(this, 0) : default;
        }

        var rest = bytes.AsSpan(_position);
        if (paced && rest.IndexOf("\n\n"u8) is >= 0 and var end)
        {
            rest = rest[..(end + 2)];
        }

        var count = Math.Min(rest.Length, buffer.Length);
        rest[..count].CopyTo(buffer.Span);
        _position += count;
        return ValueTask.FromResult(count);
    }

    int IValueTaskSource<int>.GetResult(short token) => 0;

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => ValueTaskSourceStatus.Pending;

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        continuation(state);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
