using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace LlmProxy.Tests.Support;

/// <summary>What the kernel knows of sockets, from its tables.</summary>
public static class SocketQueues
{
    private static readonly string[] s_tables = ["/proc/net/tcp6", "/proc/net/tcp"];

    /// <summary>True where the kernel tells.</summary>
    public static bool IsSupported { get; } = File.Exists(s_tables[1]);

    /// <summary>Bytes that reached the other end's socket (on this machine) and that its owner has not read yet.</summary>
    public static long UnreadByPeer(Socket socket)
    {
        if (!IsSupported)
        {
            return 0;
        }

        string peer = PortOf(socket.RemoteEndPoint);
        string own = PortOf(socket.LocalEndPoint);
        foreach (string table in s_tables.Where(File.Exists))
        {
            // Columns: slot, local address:port, remote address:port, state, tx_queue:rx_queue, ...
            foreach (string line in File.ReadLines(table).Skip(1))
            {
                string[] columns = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
                if (columns[1].EndsWith(peer, StringComparison.Ordinal) && columns[2].EndsWith(own, StringComparison.Ordinal))
                {
                    return long.Parse(columns[4].AsSpan(9), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                }
            }
        }

        return 0;
    }

    /// <summary>How many sockets this process, or another, has open; -1 where nobody knows.</summary>
    public static int Open(string process = "self")
    {
        string folder = $"/proc/{process}/fd";
        return Directory.Exists(folder)
            ? Directory.EnumerateFileSystemEntries(folder).Count(IsSocket)
            : -1;
    }

    private static bool IsSocket(string descriptor)
    {
        try
        {
            return new FileInfo(descriptor).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) is true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static string PortOf(EndPoint? endPoint) =>
        ":" + ((IPEndPoint)endPoint!).Port.ToString("X4", CultureInfo.InvariantCulture);
}
