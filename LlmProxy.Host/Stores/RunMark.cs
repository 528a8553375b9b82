using System.Globalization;

namespace LlmProxy.Host.Stores;

/// <summary>
/// A file in the data directory that says that an instance runs, and after a crash that one did. Several instances may share a directory,
/// as the old and the new one do during an upgrade: each has a file of its own, which the system holds locked for it while it lives.
/// </summary>
internal sealed class RunMark : IDisposable
{
    /// <summary>More than any upgrade needs.</summary>
    private const int Most = 16;

    private readonly FileStream _file;

    private RunMark(FileStream file) => _file = file;

    /// <summary>Somebody who had the directory did not end in order.</summary>
    public bool IsAfterCrash { get; private set; }

    /// <summary>Sets the mark.</summary>
    /// <exception cref="RefusedException">So many run here that something must be wrong.</exception>
    public static RunMark Set(string data)
    {
        RunMark? own = null;
        var isAfterCrash = false;
        for (var i = 1; i <= Most; i++)
        {
            var path = Path.Combine(data, string.Create(CultureInfo.InvariantCulture, $"running-{i}"));
            if ((own is not null && !File.Exists(path)) || TryLock(path) is not { } file)
            {
                continue;
            }

            isAfterCrash |= file.Length > 0;
            file.SetLength(0);
            if (own is null)
            {
                file.Write("running\n"u8);
                file.Flush(flushToDisk: true);
                own = new RunMark(file);
            }
            else
            {
                file.Dispose();
            }
        }

        if (own is null)
        {
            throw new RefusedException($"{Most} instances have {data} in use already. Give each configuration a data directory of its own (LLMPROXY_DATA, or Store.Path).");
        }

        own.IsAfterCrash = isAfterCrash;
        return own;
    }

    /// <summary>It ended in order.</summary>
    public void Dispose()
    {
        _file.SetLength(0);
        _file.Dispose();
    }

    private static FileStream? TryLock(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            // Another user's.
            return null;
        }
    }
}
