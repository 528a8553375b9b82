using System.Buffers.Binary;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace LlmProxy.Core.Relaying;

/// <summary>
/// How many bytes the client's machine has taken. The server's own buffers free up in steps of tens of kilobytes, which a slow
/// reader may need minutes for; the kernel knows of each byte.
/// </summary>
internal static class ReaderProgress
{
    private const int ProtocolTcp = 6;
    private const int TcpInfo = 11;
    private const int BytesAckedAt = 120;
    private const byte TcpClosed = 7;

    /// <summary>Asks the socket of <see cref="SocketOf"/>. One for all, so that no stream keeps one of its own.</summary>
    public static Func<object, long> Probe { get; } = static socket => BytesAcked((Socket)socket);

    /// <summary>What to ask about this connection; null where the system tells nothing.</summary>
    public static object? SocketOf(HttpContext http) => OperatingSystem.IsLinux() ? http.Features.Get<IConnectionSocketFeature>()?.Socket : null;

    /// <summary>The connection was reset, or the server has closed it: what it was to send could not be sent.</summary>
    public static bool IsClosed(HttpContext http)
    {
        if (http.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket)
        {
            return false;
        }

        Span<byte> state = stackalloc byte[1];
        try
        {
            // What a reset leaves behind; a client that has ended in order is in another state, and may still read.
            return OperatingSystem.IsLinux() && socket.GetRawSocketOption(ProtocolTcp, TcpInfo, state) == 1 && state[0] == TcpClosed;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    // tcp_info.tcpi_bytes_acked, linux/tcp.h.
    private static long BytesAcked(Socket socket)
    {
        Span<byte> info = stackalloc byte[BytesAckedAt + sizeof(long)];
        try
        {
            return socket.GetRawSocketOption(ProtocolTcp, TcpInfo, info) < info.Length
                ? -1
                : BinaryPrimitives.ReadInt64LittleEndian(info[BytesAckedAt..]);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return -1;
        }
    }
}
