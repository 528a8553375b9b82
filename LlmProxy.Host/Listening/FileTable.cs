using System.Runtime.InteropServices;

namespace LlmProxy.Host.Listening;

/// <summary>
/// The kernel's table of this process's open files. It starts with room for a few and doubles when they no longer fit, and that
/// waits until no other thread can be reading the old one: 10 to 20 ms, in which the thread that polls the sockets stands still in
/// its accept, and with it every stream. So all the room is taken at the start, when nobody waits.
/// </summary>
internal static class FileTable
{
    /// <summary>Of 8 bytes each, in the kernel: for 8,000 clients and a connection upstream for each.</summary>
    public const int Room = 16 * 1024;

    // linux/fcntl.h: a copy of a file, as the first free number from a certain one on, which no process that is started has.
    private const int DuplicateFrom = 1030;

    /// <summary>Takes the room, apart from the caller, who waits for nothing. What cannot be had comes later, as it would have.</summary>
    /// <param name="files">The limit; null: not known, nothing is done.</param>
    public static Task GrowAsync(FileLimit? files) =>
        files is { } limit ? Task.Run(() => Grow(Math.Min(limit.Files, Room))) : Task.CompletedTask;

    private static void Grow(int room)
    {
        try
        {
            using var any = File.OpenHandle("/dev/null");
            var copy = Duplicate((int)any.DangerousGetHandle(), DuplicateFrom, room - 1);
            if (copy >= 0)
            {
                _ = Close(copy);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It grows as it is needed, then.
        }
    }

    [DllImport("libc", EntryPoint = "fcntl")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Duplicate(int file, int command, int from);

    [DllImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Close(int file);
}
