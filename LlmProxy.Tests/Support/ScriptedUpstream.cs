using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace LlmProxy.Tests.Support;

/// <summary>What an upstream does with one request.</summary>
public delegate Task Script(UpstreamExchange exchange);

/// <summary>A raw socket server on loopback that records what it is asked and plays any byte sequence in answer.</summary>
public sealed class ScriptedUpstream : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentQueue<Script> _next = new();
    private readonly ConcurrentQueue<Exception> _failures = new();
    private readonly ConcurrentDictionary<Socket, Task> _connections = new();
    private readonly List<UpstreamRequest> _requests = [];
    private readonly Lock _lock = new();
    private readonly Task _accepting;
    private int _connectionCount;
    private Script _otherwise = Replies.LikeOpenAI;

    public ScriptedUpstream(string address = "127.0.0.1")
    {
        _listener = new TcpListener(IPAddress.Parse(address), 0);
        _listener.Start(512);
        _accepting = AcceptAsync();
    }

    public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndpoint;

    /// <summary>The base address as it stands in a configuration.</summary>
    public Uri Url => new(string.Create(CultureInfo.InvariantCulture, $"http://{EndPoint.Address}:{EndPoint.Port}/v1"));

    /// <summary>How many connections were ever opened to it.</summary>
    public int ConnectionCount => Volatile.Read(ref _connectionCount);

    /// <summary>How many are open now.</summary>
    public int OpenConnections => _connections.Count;

    /// <summary>What went wrong in scripts, other than that the other side left.</summary>
    public IReadOnlyCollection<Exception> Failures => _failures;

    /// <summary>The requests whose head has come, in order.</summary>
    public IReadOnlyList<UpstreamRequest> Requests
    {
        get
        {
            lock (_lock)
            {
                return [.. _requests];
            }
        }
    }

    /// <summary>The only request there was.</summary>
    public UpstreamRequest Request => Requests.Single();

    /// <summary>True (default): the body has come in full before the script starts. False: scripts must not keep the connection.</summary>
    public bool ReadsBodiesFirst { get; set; } = true;

    /// <summary>What is done with every request that has no script of its own.</summary>
    public void Otherwise(Script script) => _otherwise = script;

    /// <summary>What is done with the next request without a script.</summary>
    public void Next(Script script) => _next.Enqueue(script);

    /// <summary>Waits until so many requests have come.</summary>
    public async Task<UpstreamRequest> WaitForAsync(int count = 1)
    {
        await Deadline.Until(() => Requests.Count >= count, what: $"request {count} at the upstream");
        return Requests[count - 1];
    }

    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        await _stopping.CancelAsync();
        _listener.Stop();
        foreach (Socket socket in _connections.Keys)
        {
            socket.Dispose();
        }

        await Deadline.In(Task.WhenAll(_connections.Values.Append(_accepting)));
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                Socket socket = await _listener.AcceptSocketAsync(_stopping.Token);
                socket.NoDelay = true;
                int number = Interlocked.Increment(ref _connectionCount) - 1;
                var served = new TaskCompletionSource();
                _connections[socket] = served.Task;
                _ = ServeAsync(socket, number, served);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket socket, int number, TaskCompletionSource served)
    {
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: false);
            var reader = new WireReader(stream);
            while (await ReadAsync(reader, number) is { } request)
            {
                if (!await AnswerAsync(request, reader, socket))
                {
                    break;
                }
            }
        }
        catch (Exception e) when (IsGone(e))
        {
            // Said by PeerClosed where a script may care.
        }
        catch (Exception e)
        {
            _failures.Enqueue(e);
        }
        finally
        {
            socket.Dispose();
            _connections.TryRemove(socket, out _);
            served.SetResult();
        }
    }

    private async Task<UpstreamRequest?> ReadAsync(WireReader reader, int number)
    {
        byte[]? head = await reader.ReadHeadAsync(_stopping.Token);
        if (head is null)
        {
            return null;
        }

        var request = new UpstreamRequest(number, head);
        lock (_lock)
        {
            _requests.Add(request);
        }

        if (ReadsBodiesFirst)
        {
            request.Body = await WireBody.ReadAsync(reader, request.Headers, _stopping.Token);
        }

        return request;
    }

    /// <returns>True if the connection may carry another request.</returns>
    private async Task<bool> AnswerAsync(UpstreamRequest request, WireReader reader, Socket socket)
    {
        // A read is always under way while a script runs, so that a close is noticed at once.
        Task<bool> more = reader.FillAsync(_stopping.Token);
        Task<long> closed = ClosedAsync(more);
        var exchange = new UpstreamExchange(request, socket, closed, _stopping.Token);
        Script script = _next.TryDequeue(out Script? own) ? own : _otherwise;
        await script(exchange);
        return exchange.KeepAlive && await more;
    }

    private static async Task<long> ClosedAsync(Task<bool> more)
    {
        try
        {
            if (await more)
            {
                return await new TaskCompletionSource<long>().Task;
            }
        }
        catch (Exception e) when (IsGone(e))
        {
            // A reset is a close, too.
        }

        return Stopwatch.GetTimestamp();
    }

    private static bool IsGone(Exception e) =>
        e is PeerGoneException or IOException or SocketException or ObjectDisposedException or OperationCanceledException;
}
