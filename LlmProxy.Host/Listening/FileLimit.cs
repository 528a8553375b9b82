using System.Globalization;
using System.Runtime.InteropServices;

namespace LlmProxy.Host.Listening;

/// <summary>
/// How many connections the limit of open files leaves room for. One over that limit, the server could accept nothing any
/// more, and no upstream could be reached for those who are in already.
/// </summary>
/// <param name="Files">The most files that this process may have open.</param>
internal readonly record struct FileLimit(int Files)
{
    private const string Source = "/proc/self/limits";
    private const string Line = "Max open files";

    /// <summary>For listeners, logs, libraries, and the connections upstream that are kept for the next request.</summary>
    private const int Reserve = 200;

    /// <summary>Each connection of a client and the one upstream that it needs.</summary>
    private const int FilesPerConnection = 2;

    private const int Least = 16;

    /// <summary>What a busy proxy should have room for.</summary>
    private const int Ample = 4096;

    public int Connections => Math.Max((Files - Reserve) / FilesPerConnection, Least);

    /// <summary>What to do where that is little; null where it is not.</summary>
    public string? Warning => Connections >= Ample ? null
        : string.Create(CultureInfo.InvariantCulture, $"The limit of {Files} open files leaves room for {Connections} connections, and further ones are closed at once. ")
        + "Raise it: \"ulimit -Hn 65536\" as root, LimitNOFILE=65536 in a systemd unit, --ulimit nofile=65536 for a container.";

    /// <summary>
    /// Takes as many files as the process may have without asking anybody, and says how many that are. Null where there is
    /// no limit, or no way to tell.
    /// </summary>
    public static FileLimit? Take()
    {
        if (!OperatingSystem.IsLinux() || Read() is not { } limit)
        {
            return null;
        }

        // Usual limits are 1,024 and, for whoever asks, half a million: programs that use select() break over the first.
        if (limit.Soft < limit.Hard && Environment.Is64BitProcess)
        {
            var wanted = new Limits { Soft = (nuint)limit.Hard, Hard = (nuint)limit.Hard };
            _ = SetLimits(OpenFiles, in wanted);
        }

        return Read() is { } taken ? new FileLimit(taken.Soft) : null;
    }

    private static (int Soft, int Hard)? Read()
    {
        try
        {
            return File.ReadLines(Source).FirstOrDefault(static line => line.StartsWith(Line, StringComparison.Ordinal)) is { } line ? Parse(line) : null;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // Max open files            1024                 1048576              files
    private static (int Soft, int Hard)? Parse(string line)
    {
        var words = line[Line.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length > 1
            && int.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out var soft)
            && int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var hard)
            ? (soft, hard)
            : null;
    }

    private const int OpenFiles = 7;

    [StructLayout(LayoutKind.Sequential)]
    private struct Limits
    {
        public nuint Soft;
        public nuint Hard;
    }

    [DllImport("libc", EntryPoint = "setrlimit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetLimits(int resource, in Limits limits);
}
