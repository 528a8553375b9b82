using System.Net.Sockets;

namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>A connection of a proxy to the upstream.</summary>
internal sealed class UpstreamConnection
{
    private const int LongestRequest = 64 << 10;

    private readonly Socket _socket;
    private readonly Pacer _pacer;
    private readonly SocketAsyncEventArgs _receive = new(unsafeSuppressExecutionContextFlow: true);
    private readonly SocketAsyncEventArgs _send = new(unsafeSuppressExecutionContextFlow: true);
    private readonly Lock _gate = new();
    private byte[] _in = new byte[2048];
    private byte[] _out = [];
    private int _received;

    /// <summary>Bytes that the connection did not take yet; they go out one after another.</summary>
    private int _waiting;
    private ReadRequest _request;
    private int _left;
    private bool _isClosed;

    public UpstreamConnection(Socket socket, Pacer pacer)
    {
        (_socket, _pacer) = (socket, pacer);
        _receive.Completed += (_, _) => Received();
        _send.Completed += (_, _) => Sent();
    }

    /// <summary>Takes what comes, until nothing more is there.</summary>
    public void Receive()
    {
        do
        {
            if (_isClosed)
            {
                return;
            }

            if (_received == _in.Length)
            {
                Array.Resize(ref _in, 2 * _in.Length);
            }

            _receive.SetBuffer(_in, _received, _in.Length - _received);
        }
        while (!_socket.ReceiveAsync(_receive) && Take());
    }

    /// <summary>The next event of a stream that is paced, or its end.</summary>
    /// <returns>Whether more are to come.</returns>
    public bool Advance(Span<byte> scratch)
    {
        lock (_gate)
        {
            if (_isClosed)
            {
                return false;
            }

            if (_left-- > 0)
            {
                Write(scratch[..Wire.WriteEvent(scratch)]);
                return !_isClosed;
            }

            Write(_request.Usage ? Wire.EndWithUsage : Wire.End);
            return false;
        }
    }

    private void Received()
    {
        if (Take())
        {
            Receive();
        }
    }

    /// <returns>Whether the connection is still of use.</returns>
    private bool Take()
    {
        if (_receive.SocketError != SocketError.Success || _receive.BytesTransferred == 0 || _received > LongestRequest)
        {
            Close();
            return false;
        }

        _received += _receive.BytesTransferred;
        try
        {
            while (RequestReader.TryRead(_in.AsSpan(0, _received), out var request))
            {
                _received -= request.Length;
                _in.AsSpan(request.Length, _received).CopyTo(_in);
                Answer(request);
            }

            return true;
        }
        catch (FormatException)
        {
            Close();
            return false;
        }
    }

    private void Answer(ReadRequest request)
    {
        lock (_gate)
        {
            if (!request.Stream)
            {
                Write(Wire.JsonAnswer);
            }
            else if (request.Interval == 0)
            {
                Write(Burst(request));
            }
            else
            {
                (_request, _left) = (request, request.Events);
                Write(Wire.StreamHead);
                _pacer.Add(this, request.Interval);
            }
        }
    }

    private static byte[] Burst(ReadRequest request)
    {
        var end = request.Usage ? Wire.EndWithUsage : Wire.End;
        var bytes = GC.AllocateUninitializedArray<byte>(Wire.StreamHead.Length + (request.Events * Wire.EventLength) + end.Length);
        Wire.StreamHead.CopyTo(bytes.AsSpan());
        var at = Wire.StreamHead.Length;
        for (var i = 0; i < request.Events; i++)
        {
            at += Wire.WriteEvent(bytes.AsSpan(at));
        }

        end.CopyTo(bytes.AsSpan(at));
        return bytes;
    }

    /// <summary>Sends what fits now and keeps the rest. Behind the gate.</summary>
    private void Write(ReadOnlySpan<byte> bytes)
    {
        if (_waiting == 0)
        {
            var sent = _socket.Send(bytes, SocketFlags.None, out var error);
            if (error is not (SocketError.Success or SocketError.WouldBlock or SocketError.IOPending))
            {
                Close();
                return;
            }

            bytes = bytes[(error == SocketError.Success ? sent : 0)..];
        }

        if (bytes.IsEmpty)
        {
            return;
        }

        // A send of the array that waits goes on with its own: the rest is copied to another.
        var rest = new byte[_waiting + bytes.Length];
        _out.AsSpan(_out.Length - _waiting).CopyTo(rest);
        bytes.CopyTo(rest.AsSpan(_waiting));
        var isSending = _waiting > 0;
        (_out, _waiting) = (rest, rest.Length);
        if (!isSending)
        {
            SendRest();
        }
    }

    private void SendRest()
    {
        _send.SetBuffer(_out, _out.Length - _waiting, _waiting);
        if (!_socket.SendAsync(_send))
        {
            Sent();
        }
    }

    private void Sent()
    {
        lock (_gate)
        {
            if (_send.SocketError != SocketError.Success)
            {
                Close();
                return;
            }

            _waiting -= _send.BytesTransferred;
            if (_waiting > 0 && !_isClosed)
            {
                SendRest();
            }
        }
    }

    private void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            _socket.Dispose();
        }
    }
}
