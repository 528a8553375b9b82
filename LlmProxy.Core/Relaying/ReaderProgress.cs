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

    /// <summary>Asks the socket of <see cref="SocketOf"/>. One for all, so that no stream keeps one of its own.</summary>
    public static Func<object, long> Probe { get; } = static socket => BytesAcked((Socket)socket);

    /// <summary>What to ask about this connection; null where the system tells nothing.</summary>
    public static object? SocketOf(HttpContext http) => OperatingSystem.IsLinux() ? http.Features.Get<IConnectionSocketFeature>()?.Socket : null;

    /// <summary>The server has closed the connection: what it was to send could not be sent. It does not when the client has ended in order.</summary>
    public static bool IsClosed(HttpContext http)
    {
        if (http.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket)
        {
            return false;
        }

        try
        {
            _ = socket.Available;
            return false;
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
