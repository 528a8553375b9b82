using System.Net;
using System.Net.Sockets;

namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>The upstream: answers at once, or event by event at the pace that a request asks for.</summary>
internal static class LoadUpstream
{
    /// <summary>Runs until the process ends.</summary>
    public static async Task RunAsync(int port)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        listener.Listen(4096);
        var pacer = new Pacer();
        while (true)
        {
            var socket = await listener.AcceptAsync();
            socket.NoDelay = true;
            socket.Blocking = false;
            new UpstreamConnection(socket, pacer).Receive();
        }
    }
}
