using System.Globalization;

namespace LlmProxy.Core.Accounting;

/// <summary>
/// The folder of one process's journal, held by a lock for as long as it runs. Several processes may have the same directory: each
/// takes the first of its folders <c>0</c>, <c>1</c>, … that nobody holds, with what the one before has left there.
/// </summary>
internal sealed class JournalFolder : IDisposable
{
    private const int MostFolders = 64;
    private const string Ending = ".journal";
    private const string SetAside = ".corrupt";

    private readonly FileStream _lock;
    private readonly List<string> _left;
    private readonly HashSet<string> _told = [];
    private long _last;

    private JournalFolder(string path, FileStream held)
    {
        Path = path;
        _lock = held;
        _left = [.. Directory.GetFiles(path, "*" + Ending).Order(StringComparer.Ordinal)];
        foreach (var file in _left)
        {
            if (long.TryParse(System.IO.Path.GetFileNameWithoutExtension(file), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                _last = Math.Max(_last, number);
            }
        }
    }

    public string Path { get; }

    /// <summary>Takes a folder.</summary>
    /// <param name="directory">In which it is.</param>
    /// <param name="foreign">Told of each folder that may not be opened.</param>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    public static JournalFolder Take(string directory, Action<string>? foreign = null)
    {
        for (var i = 0; i < MostFolders; i++)
        {
            if (TryTake(System.IO.Path.Combine(directory, i.ToString(CultureInfo.InvariantCulture)), mustExist: false, foreign) is { } folder)
            {
                return folder;
            }
        }

        throw new IOException($"All {MostFolders} folders of the journal are held by other processes.");
    }

    /// <summary>Takes those that other processes have left: theirs are rows that nobody else would bring to the store.</summary>
    public static List<JournalFolder> TakeLeft(string directory, Action<string>? foreign = null)
    {
        var left = new List<JournalFolder>();
        for (var i = 0; i < MostFolders; i++)
        {
            var path = System.IO.Path.Combine(directory, i.ToString(CultureInfo.InvariantCulture));
            if (HasSegments(path, foreign) && TryTake(path, mustExist: true, foreign) is { } folder)
            {
                left.Add(folder);
            }
        }

        return left;
    }

    /// <summary>Something of what was there when it was taken could not be opened, and is tried again.</summary>
    public bool HasUnopened => _left.Count > 0;

    /// <summary>The segments that were there when it was taken and have not been opened yet, in their order. What is none is set aside.</summary>
    /// <param name="faulty">Told of each that is not as it should be, and why.</param>
    public List<JournalSegment> OpenAll(Action<string, string> faulty)
    {
        var segments = new List<JournalSegment>();
        foreach (var path in _left.ToArray())
        {
            try
            {
                segments.Add(JournalSegment.Open(path));
            }
            catch (InvalidDataException e)
            {
                faulty(path, e.Message);
                SetFileAside(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Too many open files, or not ours to read: nothing is wrong with its rows.
                if (_told.Add(path))
                {
                    faulty(path, e.Message);
                }

                continue;
            }

            _left.Remove(path);
        }

        return segments;
    }

    public JournalSegment Create(long size) =>
        JournalSegment.Create(System.IO.Path.Combine(Path, (++_last).ToString("D10", CultureInfo.InvariantCulture) + Ending), size);

    /// <summary>Removes a segment whose rows are all in the store; one that holds more than that, unreadable, is kept under another name.</summary>
    public static void Remove(JournalSegment segment)
    {
        segment.Dispose();
        if (segment.IsCorrupt)
        {
            SetFileAside(segment.Path);
            return;
        }

        try
        {
            File.Delete(segment.Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is met again at the next start, with nothing in it that the store does not have.
        }
    }

    public void Dispose() => _lock.Dispose();

    private static bool HasSegments(string path, Action<string>? foreign)
    {
        try
        {
            return Directory.Exists(path) && Directory.EnumerateFiles(path, "*" + Ending).Any();
        }
        catch (UnauthorizedAccessException)
        {
            foreign?.Invoke(path);
            return false;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static void SetFileAside(string path)
    {
        try
        {
            File.Move(path, path + SetAside, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is met again at the next start.
        }
    }

    private static JournalFolder? TryTake(string path, bool mustExist, Action<string>? foreign)
    {
        if (!mustExist)
        {
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(path);
            }
            else
            {
                Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }
        }

        try
        {
            // The lock is the kernel's: it goes with the process, however that ends.
            return new JournalFolder(path, new FileStream(System.IO.Path.Combine(path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException) when (File.Exists(System.IO.Path.Combine(path, "lock")))
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            // Another user's, for instance of a start as root: the next is ours.
            foreign?.Invoke(path);
            return null;
        }
    }
}
