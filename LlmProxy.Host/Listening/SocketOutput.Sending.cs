using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace LlmProxy.Host.Listening;

/// <summary>How it gets to the socket.</summary>
internal sealed partial class SocketOutput
{
    // Systems take so many pieces at a time; POSIX asks of them for 16, all that matter take 1,024.
    private const int MostAtOnce = 64;

    [ThreadStatic]
    private static List<ArraySegment<byte>>? _segments;

    // Nothing can follow what was not sent: the connection ends. Elsewhere, for the server holds its locks here.
    private void Fail()
    {
        _isClosed = true;
        ThreadPool.UnsafeQueueUserWorkItem(static connection => connection.Abort(new ConnectionAbortedException("It could not be written to.")), _connection, preferLocal: false);
    }

    /// <summary>Sends what can be sent without waiting.</summary>
    /// <returns>False: some of it is left.</returns>
    private bool TrySend()
    {
        try
        {
            while (_unflushed > 0)
            {
                var sent = _before is { Count: > 0 } ? SendTogether(out var error) : _socket.Send(_block!.Memory.Span[.._length], SocketFlags.None, out error);
                if (error == SocketError.WouldBlock)
                {
                    return false;
                }

                if (error != SocketError.Success)
                {
                    Fail();
                    return true;
                }

                Drop(sent);
            }
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
            // The first block is waited with; behind it there may be room for more at once.
            do
            {
                var (block, length) = _before is { Count: > 0 } before ? before[0] : (_block!, _length);
                Drop(await _socket.SendAsync(block.Memory[..length], SocketFlags.None, cancellation));
            }
            while (!TrySend());
        }
        catch (Exception e)
        {
            // Of a send that was canceled nobody knows how much has gone out.
            Fail();
            if (e is not (SocketException or ObjectDisposedException))
            {
                throw;
            }
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

    /// <summary>Forgets the first bytes. What is left of a block is moved to its beginning: that is rare, and its reader slow.</summary>
    private void Drop(int sent)
    {
        _unflushed -= sent;
        var whole = 0;
        for (; whole < _before?.Count && sent >= _before[whole].Length; whole++)
        {
            sent -= _before[whole].Length;
            _before[whole].Block.Dispose();
        }

        _before?.RemoveRange(0, whole);
        if (_before is { Count: > 0 })
        {
            var (block, length) = _before[0];
            _before[0] = (block, Shift(block, sent, length));
        }
        else
        {
            _length = Shift(_block!, sent, _length);
        }
    }

    private static int Shift(IMemoryOwner<byte> block, int sent, int length)
    {
        if (sent > 0 && sent < length)
        {
            block.Memory.Span[sent..length].CopyTo(block.Memory.Span);
        }

        return length - sent;
    }
}
