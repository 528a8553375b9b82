namespace LlmProxy.Core.Configuration;

/// <summary>
/// What can be seen of a file without reading it: where its links lead, when it was written, its length. Links are followed in
/// every part of the path, since a mounted config map changes a link to the folder above its files and nothing else.
/// </summary>
/// <param name="Target">The path without links; null if nothing is there.</param>
/// <param name="Written">When, in ticks of UTC.</param>
/// <param name="Length">In bytes.</param>
internal readonly record struct FileStamp(string? Target, long Written, long Length)
{
    // As many as the kernel follows.
    private const int MostLinks = 40;

    public static FileStamp Of(string path)
    {
        try
        {
            var target = Resolve(Path.GetFullPath(path));
            var file = new FileInfo(target);
            return file.Exists ? new FileStamp(target, file.LastWriteTimeUtc.Ticks, file.Length) : default;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return default;
        }
    }

    /// <summary>True if it was written so short a time ago that a second change could have left the same time and length.</summary>
    public bool IsYoung(DateTimeOffset now) =>
        Target is not null && now.UtcTicks - Written is >= 0 and < 2 * TimeSpan.TicksPerSecond;

    private static string Resolve(string path)
    {
        var root = Path.GetPathRoot(path)!;
        var rest = new Stack<string>(path[root.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries).Reverse());
        var done = root;
        var links = 0;
        while (rest.TryPop(out var part))
        {
            if (part is "." or "..")
            {
                done = part == ".." ? Path.GetDirectoryName(done) ?? root : done;
                continue;
            }

            var next = Path.Combine(done, part);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                done = next;
                continue;
            }

            if (++links > MostLinks)
            {
                throw new IOException("Too many links.");
            }

            done = Path.IsPathRooted(target) ? Path.GetPathRoot(target)! : done;
            foreach (var linked in target.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries).Reverse())
            {
                rest.Push(linked);
            }
        }

        return done;
    }
}
