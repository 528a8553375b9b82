namespace LlmProxy.Core.Accounting;

/// <summary>Where a row is kept from now on.</summary>
internal enum KeptIn
{
    /// <summary>On disk: it survives the process.</summary>
    File,

    /// <summary>In memory, because the disk has no room for now.</summary>
    Memory,

    /// <summary>Nowhere.</summary>
    Nothing,
}

/// <summary>
/// Rows on their way to the store. Requests append, which waits for nothing; one writer reads, in order, and says what the store
/// has.
/// </summary>
/// <param name="capacity">Bytes that all segments together may have.</param>
/// <param name="segmentSize">Of one file; the first ones are smaller.</param>
internal sealed partial class Journal(long capacity, long segmentSize) : IDisposable
{
    // A journal that is hardly used is not worth much memory: its pages count as the process's. Files grow as they are used up.
    private const long Smallest = 1 << 20;

    /// <summary>Bytes of rows that are kept in memory while the disk takes none.</summary>
    public const long MostInMemory = 16 << 20;

    private readonly Lock _lock = new();
    private readonly List<JournalSegment> _segments = [];
    private readonly Queue<byte[]> _memory = [];
    private readonly List<LedgerRow> _batch = [];
    private readonly KnownTexts _known = new();
    private JournalFolder? _folder;
    private JournalSegment? _current;
    private JournalSegment? _spare;
    private JournalSegment? _readFrom;
    private long _nextSize = Math.Min(Smallest, segmentSize);
    private long _readTo;
    private long _readFrames;
    private int _readFromMemory;
    private long _memoryBytes;
    private long _appended;
    private long _taken;

    /// <summary>Rows of this process that the store does not have.</summary>
    public long WaitingRows => Appended - Interlocked.Read(ref _taken);

    /// <summary>Rows of this process so far.</summary>
    public long Appended => Interlocked.Read(ref _appended);

    /// <summary>Nothing of this process or of one before waits.</summary>
    public bool IsEmpty
    {
        get
        {
            lock (_lock)
            {
                return _memory.Count == 0 && _segments.TrueForAll(static s => s.Waiting == 0);
            }
        }
    }

    /// <summary>The store has all rows that were there when so many had been appended.</summary>
    public bool HasBrought(long appended)
    {
        lock (_lock)
        {
            // What waits in memory may be older than what has been brought from files meanwhile.
            return Interlocked.Read(ref _taken) >= appended && _memory.Count == 0 && !_segments.Exists(static s => s.IsOld);
        }
    }

    /// <summary>It can take next to nothing more.</summary>
    public bool IsFull
    {
        get
        {
            lock (_lock)
            {
                return _memoryBytes > MostInMemory / 2;
            }
        }
    }

    /// <summary>There is no file to go on in when the one that is written is full.</summary>
    public bool NeedsSpare => Volatile.Read(ref _spare) is null || Volatile.Read(ref _current) is null;

    /// <summary>Rows in files that an earlier process has left.</summary>
    public bool HasOld
    {
        get
        {
            lock (_lock)
            {
                return _segments.Exists(static s => s.IsOld);
            }
        }
    }

    /// <summary>Goes on in a folder.</summary>
    public void Open(JournalFolder folder) => _folder = folder;

    /// <summary>Takes what an earlier process has left in a folder.</summary>
    /// <param name="folder">Ours, or one that we have taken.</param>
    /// <param name="faulty">Told of each file that is not as it should be, and why.</param>
    public void AddOld(JournalFolder folder, Action<string, string> faulty)
    {
        var left = folder.OpenAll(faulty);
        foreach (var segment in left.Where(static s => s.IsCorrupt || s.Unreadable > 0))
        {
            faulty(segment.Path, segment.IsCorrupt ? "it is damaged; what can be read of it is used, and it is kept" : "its last row is not whole, and is dropped");
        }

        lock (_lock)
        {
            _segments.InsertRange(0, left);
        }
    }

    /// <summary>Makes a file to go on in, if there is none and there is room for one.</summary>
    /// <exception cref="IOException">The disk has no room.</exception>
    public void Prepare()
    {
        while (_folder is not null && NeedsSpare)
        {
            lock (_lock)
            {
                if (_segments.Sum(static s => s.Size) + (_spare?.Size ?? 0) + _nextSize > capacity)
                {
                    return;
                }
            }

            var made = _folder.Create(_nextSize);
            lock (_lock)
            {
                if (_current is null)
                {
                    Begin(made);
                }
                else
                {
                    _spare = made;
                    _nextSize = Math.Min(2 * _nextSize, segmentSize);
                }
            }
        }
    }

    /// <summary>Keeps a row.</summary>
    /// <param name="buffer">Begins with the frame, see <see cref="JournalSegment.Close"/>; what is behind it may be cleared.</param>
    /// <param name="length">Of the frame.</param>
    public KeptIn Append(Span<byte> buffer, int length)
    {
        lock (_lock)
        {
            // As short as a copy of a few hundred bytes: nobody waits for a disk in here.
            if (_current is not null && (_current.TryAppend(buffer, length) || (TryGoOn() && _current.TryAppend(buffer, length))))
            {
                _appended++;
                return KeptIn.File;
            }

            if (_memoryBytes + length > MostInMemory)
            {
                return KeptIn.Nothing;
            }

            _memory.Enqueue(buffer[JournalSegment.FrameHead..length].ToArray());
            _memoryBytes += length;
            _appended++;
            return KeptIn.Memory;
        }
    }

    /// <summary>Closes the files; those without waiting rows are removed.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_current is not null)
            {
                _current.IsSealed = true;
                _current = null;
            }

            if (_spare is { } spare)
            {
                JournalFolder.Remove(spare);
                _spare = null;
            }
        }

        Sweep();
        foreach (var segment in _segments)
        {
            segment.Dispose();
        }

        _segments.Clear();
        _folder?.Dispose();
    }

    /// <summary>Removes files whose rows the store has.</summary>
    private void Sweep()
    {
        List<JournalSegment>? done = null;
        lock (_lock)
        {
            foreach (var segment in _segments)
            {
                if (segment is { IsSealed: true, Waiting: 0 })
                {
                    (done ??= []).Add(segment);
                }
            }

            done?.ForEach(segment => _segments.Remove(segment));
        }

        done?.ForEach(JournalFolder.Remove);
    }

    private bool TryGoOn()
    {
        if (_spare is null)
        {
            return false;
        }

        _current!.IsSealed = true;
        Begin(_spare);
        _spare = null;
        return true;
    }

    private void Begin(JournalSegment segment)
    {
        _current = segment;
        _segments.Add(segment);
    }
}
