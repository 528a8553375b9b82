namespace LlmProxy.Host.Stores;

/// <summary>
/// The folder for what one running instance writes by itself, its journal. Several instances may share a data directory, as the old and
/// the new one do during an upgrade: each takes the first folder that no other has, and with it what a killed one has left there.
/// </summary>
internal sealed class InstanceFolder : IDisposable
{
    /// <summary>More than any upgrade needs; so many that crash in turn leave something that wants to be looked at.</summary>
    private const int Most = 16;

    private const string LockName = "lock";

    private readonly FileStream _lock;

    private InstanceFolder(string path, FileStream @lock)
    {
        (Path, _lock) = (path, @lock);
        IsAfterCrash = @lock.Length > 0;
        @lock.SetLength(0);
        @lock.Write("running\n"u8);
        @lock.Flush(flushToDisk: true);
    }

    public string Path { get; }

    /// <summary>Whoever had it before did not end by itself.</summary>
    public bool IsAfterCrash { get; }

    /// <summary>Takes the first that is free.</summary>
    /// <exception cref="RefusedException">All are taken.</exception>
    public static InstanceFolder Take(string data)
    {
        for (var i = 1; i <= Most; i++)
        {
            if (TryTake(System.IO.Path.Combine(data, $"journal-{i}")) is { } taken)
            {
                return taken;
            }
        }

        throw new RefusedException($"{Most} instances have {data} in use already. Give each configuration a data directory of its own (LLMPROXY_DATA, or Store.Path).");
    }

    /// <summary>Takes the others that are there and that nobody has: what killed instances have left in them is to be looked after.</summary>
    public static IReadOnlyList<InstanceFolder> TakeAbandoned(string data) =>
        [.. Enumerable.Range(1, Most).Select(i => System.IO.Path.Combine(data, $"journal-{i}")).Where(Directory.Exists).Select(TryTake).OfType<InstanceFolder>()];

    /// <summary>Ended in order.</summary>
    public void Dispose()
    {
        _lock.SetLength(0);
        _lock.Dispose();
    }

    private static InstanceFolder? TryTake(string path)
    {
        DataFolder.Make(path);
        try
        {
            // Held by the system for as long as the process lives, however it ends.
            return new InstanceFolder(path, new FileStream(System.IO.Path.Combine(path, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException)
        {
            return null;
        }
    }
}
