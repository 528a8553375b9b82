using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace LlmProxy.Host.Listening;

/// <summary>
/// What a server writes to a connection goes to its socket in the flush itself. The server's own way leads through a pipe to a loop
/// of its transport that sends: two locks, a wake-up and a send that may wait, for each event of a stream.
/// </summary>
/// <remarks>
/// A flush ends when the system has taken all of it, so a slow client is waited for without the 64 KB that the pipe would hold beyond the
/// system's own. Only the server writes here, and nothing while a flush is pending: it keeps that by itself meanwhile.
/// </remarks>
internal sealed class SocketOutput : PipeWriter, IDuplexPipe
{
    // Systems take so many pieces at a time; POSIX asks of them for 16, all that matter take 1,024.
    private const int MostAtOnce = 64;

    [ThreadStatic]
    private static List<ArraySegment<byte>>? _segments;

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

    private SocketOutput(Socket socket, MemoryPool<byte> pool, IDuplexPipe transport)
    {
        (_socket, _pool, _transport) = (socket, pool, transport);

        // A send that may not wait tells so.
        socket.Blocking = false;
    }

    PipeReader IDuplexPipe.Input => _transport.Input;

    PipeWriter IDuplexPipe.Output => this;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _unflushed;

    /// <summary>For connections with a socket; others are left as they are.</summary>
    public static ConnectionDelegate Use(ConnectionDelegate next) => connection =>
        connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket && connection.Features.Get<IMemoryPoolFeature>()?.MemoryPool is { } pool
            ? RunAsync(next, connection, new SocketOutput(socket, pool, connection.Transport))
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

    public override void CancelPendingFlush() => _isCanceled = true;

    public override void Complete(Exception? exception = null)
    {
        if (!_isClosed && !_isSending && exception is null)
        {
            // Nobody waits for it here: the transport's loop does.
            foreach (var (block, length) in _before ?? [])
            {
                _transport.Output.Write(block.Memory.Span[..length]);
            }

            _transport.Output.Write(_block is null ? default : _block.Memory.Span[.._length]);
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
        }
        finally
        {
            connection.Transport = output._transport;
            output.Close();
        }
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

    /// <summary>Sends what can be sent without waiting.</summary>
    /// <returns>False: some of it is left.</returns>
    private bool TrySend()
    {
        try
        {
            var sent = _before is { Count: > 0 } ? SendTogether(out var error) : _socket.Send(_block!.Memory.Span[.._length], SocketFlags.None, out error);
            if (error == SocketError.Success ? sent < _unflushed : error == SocketError.WouldBlock)
            {
                Drop(error == SocketError.Success ? sent : 0);
                return false;
            }

            _isClosed |= error != SocketError.Success;
        }
        catch (ObjectDisposedException)
        {
            _isClosed = true;
        }

        return true;
    }

    private int SendTogether(out SocketError error)
    {
        var segments = _segments ??= [];
        foreach (var (block, length) in CollectionsMarshal.AsSpan(_before)[..Math.Min(_before!.Count, MostAtOnce)])
        {
            segments.Add(ArrayOf(block, length));
        }

        if (_before.Count < MostAtOnce)
        {
            segments.Add(ArrayOf(_block!, _length));
        }

        try
        {
            return _socket.Send(segments, SocketFlags.None, out error);
        }
        finally
        {
            segments.Clear();
        }
    }

    // Blocks of the server's pools are arrays: its transport asks for the same.
    private static ArraySegment<byte> ArrayOf(IMemoryOwner<byte> block, int length) =>
        MemoryMarshal.TryGetArray<byte>(block.Memory[..length], out var array) ? array : block.Memory[..length].ToArray();

    private async ValueTask<FlushResult> SendRestAsync(CancellationToken cancellation)
    {
        Volatile.Write(ref _isSending, true);
        try
        {
            while (_unflushed > 0)
            {
                var (block, length) = _before is { Count: > 0 } before ? before[0] : (_block!, _length);
                Drop(await _socket.SendAsync(block.Memory[..length], SocketFlags.None, cancellation));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            _isClosed = true;
        }
        finally
        {
            Volatile.Write(ref _isSending, false);
            Interlocked.MemoryBarrier();
            if (Volatile.Read(ref _isClosed))
            {
                Release();
            }
        }

        return End();
    }

    /// <summary>Forgets the first bytes. Some are left, so what is left of a block is moved to its beginning: who comes here is slow.</summary>
    private void Drop(int sent)
    {
        _unflushed -= sent;
        while (_before is { Count: > 0 } before && sent >= before[0].Length)
        {
            sent -= before[0].Length;
            before[0].Block.Dispose();
            before.RemoveAt(0);
        }

        if (sent == 0)
        {
            return;
        }

        if (_before is { Count: > 0 } rest)
        {
            var (block, length) = rest[0];
            block.Memory.Span[sent..length].CopyTo(block.Memory.Span);
            rest[0] = (block, length - sent);
        }
        else
        {
            _block!.Memory.Span[sent.._length].CopyTo(_block.Memory.Span);
            _length -= sent;
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
