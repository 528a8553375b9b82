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

    /// <summary>A probe for this connection; null where the system has none.</summary>
    public static Func<long>? Probe(HttpContext http)
    {
        if (!OperatingSystem.IsLinux() || http.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket)
        {
            return null;
        }

        return () => BytesAcked(socket);
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
