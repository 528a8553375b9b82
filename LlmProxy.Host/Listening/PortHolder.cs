using System.Globalization;

namespace LlmProxy.Host.Listening;

/// <summary>Finds out which process listens on a port, where the system shows it (Linux, processes of the same user or all for root).</summary>
internal static class PortHolder
{
    private const int StateField = 3;
    private const int InodeField = 9;

    /// <summary>For example <c>nginx (pid 4711)</c>; null if it cannot be found out.</summary>
    public static string? Find(int port)
    {
        try
        {
            var sockets = new HashSet<string>(StringComparer.Ordinal);
            foreach (var table in (string[])["/proc/net/tcp", "/proc/net/tcp6"])
            {
                ReadListeners(table, port, sockets);
            }

            return sockets.Count == 0 ? null : FindOwner(sockets);
        }
        catch (Exception unavailable) when (unavailable is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Lines such as <c>0: 0100007F:1F40 00000000:0000 0A …</c>: local address and port, state 0A is "listening", the inode is the tenth field.</summary>
    private static void ReadListeners(string table, int port, HashSet<string> sockets)
    {
        if (!File.Exists(table))
        {
            return;
        }

        var wanted = ":" + port.ToString("X4", CultureInfo.InvariantCulture);
        foreach (var line in File.ReadLines(table))
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length > InodeField && fields[StateField] == "0A" && fields[1].EndsWith(wanted, StringComparison.Ordinal))
            {
                sockets.Add($"socket:[{fields[InodeField]}]");
            }
        }
    }

    private static string? FindOwner(HashSet<string> sockets)
    {
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(process), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && Holds(process, sockets))
            {
                return $"{File.ReadAllText(process + "/comm").Trim()} (pid {id})";
            }
        }

        return null;
    }

    private static bool Holds(string process, HashSet<string> sockets)
    {
        try
        {
            return Directory.EnumerateFileSystemEntries(process + "/fd")
                .Any(descriptor => new FileInfo(descriptor).LinkTarget is { } target && sockets.Contains(target));
        }
        catch (Exception notOurs) when (notOurs is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
