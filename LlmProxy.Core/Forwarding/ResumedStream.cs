namespace LlmProxy.Core.Forwarding;

/// <summary>An upstream's body of which a read is still under way: the first read is that one.</summary>
internal sealed class ResumedStream : Stream
{
    private readonly Stream _body;
    private Task<int>? _pending;

    /// <param name="body">The rest of the answer.</param>
    /// <param name="pending">A read without memory.</param>
    public ResumedStream(Stream body, Task<int> pending)
    {
        _body = body;
        _pending = pending;

        // If nobody gets to read any more, its failure is nobody's.
        _ = pending.ContinueWith(
            static read => read.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_pending is not { } pending)
        {
            return _body.ReadAsync(buffer, cancellationToken);
        }

        if (buffer.Length > 0)
        {
            return ReadBehindAsync(pending, buffer, cancellationToken);
        }

        _pending = null;
        return new ValueTask<int>(pending);
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private async ValueTask<int> ReadBehindAsync(Task<int> pending, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        await pending;
        _pending = null;
        return await _body.ReadAsync(buffer, cancellationToken);
    }
}
