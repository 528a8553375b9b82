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

    /// <summary>All bytes that the kernel holds of connections to and from a port of this machine, each counted once.</summary>
    public static long Total(int port)
    {
        long total = 0;
        string suffix = ":" + port.ToString("X4", CultureInfo.InvariantCulture);
        foreach (string line in s_tables.Where(File.Exists).SelectMany(table => File.ReadLines(table).Skip(1)))
        {
            // The sender's queue holds what the other kernel has not acknowledged, the receiver's what was not read.
            string[] columns = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
            if (columns[1].EndsWith(suffix, StringComparison.Ordinal) || columns[2].EndsWith(suffix, StringComparison.Ordinal))
            {
                total += long.Parse(columns[4].AsSpan(0, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
                    + long.Parse(columns[4].AsSpan(9), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            }
        }

        return total;
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
