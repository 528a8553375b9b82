using System.Diagnostics;
using System.Net.Sockets;

namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>One connection of the client: asks, reads, asks again.</summary>
internal sealed class ClientConnection
{
    /// <summary>A server that refuses all that is asked must not keep the client busy for ever.</summary>
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(20);

    private readonly LoadClient _client;
    private readonly ResponseReader _answer = new();
    private readonly byte[] _buffer;
    private readonly SocketAsyncEventArgs _operation = new(unsafeSuppressExecutionContextFlow: true);
    private Socket? _socket;
    private long _sentAt;
    private int _sent;

    public ClientConnection(LoadClient client)
    {
        _client = client;
        _buffer = new byte[client.Plan.Interval > 0 ? 2 << 10 : 32 << 10];
        _operation.RemoteEndPoint = client.Address;
        _operation.Completed += Completed;
    }

    public void Open()
    {
        // Not blocking: a send that does not fit says so, instead of waiting for the thread that it runs on.
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, Blocking = false };

        // What is in the buffer would be sent as soon as it is connected.
        _operation.SetBuffer(default);
        if (!_socket.ConnectAsync(_operation))
        {
            Completed(this, _operation);
        }
    }

    private void Completed(object? sender, SocketAsyncEventArgs operation)
    {
        bool goesOn;
        lock (_client.Gate)
        {
            goesOn = operation.LastOperation == SocketAsyncOperation.Connect
                ? operation.SocketError == SocketError.Success ? TrySend() : Fail()
                : Received();
        }

        while (goesOn && !_socket!.ReceiveAsync(_operation))
        {
            lock (_client.Gate)
            {
                goesOn = Received();
            }
        }
    }

    /// <returns>Whether there is something to wait for.</returns>
    private bool Received()
    {
        if (_operation.SocketError != SocketError.Success || _operation.BytesTransferred == 0)
        {
            return Fail();
        }

        var now = Stopwatch.GetTimestamp();
        try
        {
            _answer.Read(_buffer.AsSpan(0, _operation.BytesTransferred), now, _client.EventLatenciesAt(now));
        }
        catch (FormatException)
        {
            return Fail();
        }

        if (!_answer.IsComplete)
        {
            return true;
        }

        _client.Answered(_answer, _sentAt, now);
        return _answer.Closes ? Reopen() : TrySend();
    }

    private bool TrySend()
    {
        if (!_client.Continues(_sent))
        {
            Close();
            return false;
        }

        _sent++;
        _answer.Reset();
        _sentAt = Stopwatch.GetTimestamp();
        var sent = _socket!.Send(_client.Request, SocketFlags.None, out var error);
        _operation.SetBuffer(_buffer);
        return (error == SocketError.Success && sent == _client.Request.Length) || Fail();
    }

    /// <returns>False: there is nothing to wait for on this socket any more.</returns>
    private bool Fail()
    {
        _client.Failed(isBroken: _answer.Status != 0);
        return Reopen();
    }

    private bool Reopen()
    {
        Close();
        if (_client.Continues(_sent))
        {
            _ = ReopenSoonAsync();
        }

        return false;
    }

    private async Task ReopenSoonAsync()
    {
        await Task.Delay(_pause);
        _answer.Reset();
        Open();
    }

    private void Close() => _socket?.Dispose();
}
