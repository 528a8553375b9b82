using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace LlmProxy.Host.Listening;

/// <summary>
/// What a server writes to a connection goes to its socket in the flush itself. The server's own way leads through a pipe to a loop
/// of its transport that sends: two locks, a wake-up and a send that may wait, for each event of a stream.
/// </summary>
/// <remarks>
/// A flush ends when the system has taken all of it, so a slow client is waited for without the 64 KB that the pipe would hold beyond the
/// system's own. Who writes here, the server or its encryption, is one at a time, and writes nothing while a flush is pending: the server keeps
/// what comes meanwhile by itself.
/// </remarks>
internal sealed partial class SocketOutput : PipeWriter, IDuplexPipe
{
    private readonly ConnectionContext _connection;
    private readonly Socket _socket;
    private readonly MemoryPool<byte> _pool;
    private readonly IDuplexPipe _transport;

    // All but the last block are full, or too short for what was asked for.
    private List<(IMemoryOwner<byte> Block, int Length)>? _before;
    private IMemoryOwner<byte>? _block;
    private int _length;
    private long _unflushed;
    private bool _isClosed;
    private bool _isCanceled;
    private bool _isSending;

    private SocketOutput(ConnectionContext connection, Socket socket, MemoryPool<byte> pool) =>
        (_connection, _socket, _pool, _transport) = (connection, socket, pool, connection.Transport);

    PipeReader IDuplexPipe.Input => _transport.Input;

    PipeWriter IDuplexPipe.Output => this;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _unflushed;

    /// <summary>For connections with a socket; others are left as they are.</summary>
    public static ConnectionDelegate Use(ConnectionDelegate next) => connection =>
        connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket && connection.Features.Get<IMemoryPoolFeature>()?.MemoryPool is { } pool && TryUnblock(socket)
            ? RunAsync(next, connection, new SocketOutput(connection, socket, pool))
            : next(connection);

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        var memory = _block is null ? default : _block.Memory[_length..];
        if (!memory.IsEmpty && memory.Length >= sizeHint)
        {
            return memory;
        }

        if (_length > 0)
        {
            (_before ??= []).Add((_block!, _length));
        }
        else
        {
            _block?.Dispose();
        }

        _length = 0;
        _block = sizeHint <= _pool.MaxBufferSize ? _pool.Rent(Math.Max(sizeHint, 1)) : MemoryPool<byte>.Shared.Rent(sizeHint);
        return _block.Memory;
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bytes, (uint)((_block?.Memory.Length ?? 0) - _length));
        _length += bytes;
        _unflushed += bytes;
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<FlushResult>(cancellationToken);
        }

        return _isClosed || _unflushed == 0 || TrySend() ? new ValueTask<FlushResult>(End()) : SendRestAsync(cancellationToken);
    }

    /// <summary>The flush that ends next says that it was canceled; one that is pending goes on. The server asks for none.</summary>
    public override void CancelPendingFlush() => _isCanceled = true;

    public override void Complete(Exception? exception = null)
    {
        if (exception is null)
        {
            HandOver();
        }

        Close();
        _transport.Output.Complete(exception);
    }

    private static async Task RunAsync(ConnectionDelegate next, ConnectionContext connection, SocketOutput output)
    {
        connection.Transport = output;
        try
        {
            await next(connection);
            output.HandOver();
        }
        finally
        {
            connection.Transport = output._transport;
            output.Close();
        }
    }

    // A send that may not wait tells so.
    private static bool TryUnblock(Socket socket)
    {
        try
        {
            socket.Blocking = false;
            return true;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }

    // What nobody flushes any more the transport sends when it ends.
    private void HandOver()
    {
        if (_isClosed || _isSending || _unflushed == 0)
        {
            return;
        }

        foreach (var (block, length) in _before ?? [])
        {
            _transport.Output.Write(block.Memory.Span[..length]);
        }

        _transport.Output.Write(_block!.Memory.Span[.._length]);
    }

    // The system may still read from a block that is being sent: then it is given back when that has ended, as it does with the socket.
    private void Close()
    {
        Volatile.Write(ref _isClosed, true);
        Interlocked.MemoryBarrier();
        if (!Volatile.Read(ref _isSending))
        {
            Release();
        }
    }

    private FlushResult End()
    {
        Release();
        var isCanceled = _isCanceled;
        _isCanceled = false;
        return new FlushResult(isCanceled, _isClosed);
    }

    // A connection that waits holds no memory.
    private void Release()
    {
        _length = 0;
        _unflushed = 0;
        Interlocked.Exchange(ref _block, null)?.Dispose();
        if (_before is not null && Interlocked.Exchange(ref _before, null) is { } before)
        {
            foreach (var (block, _) in before)
            {
                block.Dispose();
            }
        }
    }
}
