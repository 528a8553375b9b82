using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>Asks a server that starts until it has answered one small request.</summary>
internal static class FirstAnswer
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    /// <param name="port">On loopback.</param>
    /// <param name="hasEnded">Says that the server will not answer any more.</param>
    /// <param name="patience">Null: half a minute.</param>
    /// <exception cref="InvalidOperationException">There was no good answer in that time, or the server has ended.</exception>
    public static void Wait(int port, Func<bool> hasEnded, TimeSpan? patience = null)
    {
        var started = Stopwatch.GetTimestamp();
        while (!TryAsk(port))
        {
            if (hasEnded() || Stopwatch.GetElapsedTime(started) > (patience ?? _patience))
            {
                throw new InvalidOperationException("It does not answer.");
            }

            FineSleep.For(Stopwatch.Frequency / 2000);
        }
    }

    private static bool TryAsk(int port)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 5000 };
            socket.Connect(IPAddress.Loopback, port);
            socket.Send(Wire.Request(port, stream: false, events: 0, interval: 0));
            var answer = new ResponseReader();
            var bytes = new byte[4096];
            while (!answer.IsComplete)
            {
                var length = socket.Receive(bytes);
                if (length == 0)
                {
                    return false;
                }

                answer.Read(bytes.AsSpan(0, length), 1, null);
            }

            return answer.IsWhole(stream: false, events: 0);
        }
        catch (Exception e) when (e is SocketException or FormatException)
        {
            return false;
        }
    }
}
