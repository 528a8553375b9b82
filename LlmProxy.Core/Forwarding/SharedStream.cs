using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Forwarding;

/// <summary>One reader of a <see cref="SharedAnswer"/>.</summary>
internal sealed class SharedStream(SharedAnswer answer, SharedSegment first) : Stream
{
    private SharedSegment? _segment = first;
    private int _offset;
    private long _position;
    private TaskCompletionSource? _waiting;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    /// <summary>Bytes that were read.</summary>
    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task waiting;
            lock (answer.Sync)
            {
                if (TryRead(buffer.Span, out var count))
                {
                    return count;
                }

                _waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                waiting = _waiting.Task;
            }

            await waiting.WaitAsync(cancellationToken);
        }
    }

    /// <summary>More has come. Under the answer's lock.</summary>
    public void Follow()
    {
        if (answer.End - _position > SharedAnswer.MostKept)
        {
            _segment = null;
        }

        Wake();
    }

    /// <summary>Under the answer's lock.</summary>
    public void Wake()
    {
        _waiting?.TrySetResult();
        _waiting = null;
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            answer.Remove(this);
        }

        base.Dispose(disposing);
    }

    private bool TryRead(Span<byte> buffer, out int count)
    {
        count = 0;
        if (_segment is null)
        {
            throw new SharedAnswerException(ProxyErrors.FellBehind);
        }

        if (_offset == _segment.Bytes.Length && _segment.Next is { } next)
        {
            (_segment, _offset) = (next, 0);
        }

        var there = _segment.Length - _offset;
        if (there == 0)
        {
            return answer.IsOver && (answer.Fault is { } fault ? throw fault : true);
        }

        // Without room it is only asked whether there is something.
        count = Math.Min(there, buffer.Length);
        _segment.Bytes.AsSpan(_offset, count).CopyTo(buffer);
        _offset += count;
        _position += count;
        if (count > 0)
        {
            answer.GiveRoom();
        }

        return true;
    }
}
