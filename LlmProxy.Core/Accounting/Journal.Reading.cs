namespace LlmProxy.Core.Accounting;

/// <summary>The writer's side: rows on their way out.</summary>
internal sealed partial class Journal
{
    /// <summary>The next rows for the store. The same again, until they are confirmed.</summary>
    /// <param name="most">How many.</param>
    /// <param name="oldOnly">Only those that earlier processes have left.</param>
    public IReadOnlyList<LedgerRow> Read(int most, bool oldOnly)
    {
        _batch.Clear();
        _readFrom = null;
        _readFromMemory = 0;
        JournalSegment[] segments;
        lock (_lock)
        {
            segments = [.. _segments.Where(s => !oldOnly || s.IsOld)];
        }

        foreach (var segment in segments)
        {
            if (segment.Waiting > 0)
            {
                _readFrom = segment;
                _readTo = segment.Read(segment.Confirmed, most, _batch, _known, out _readFrames);
                if (_batch.Count > 0)
                {
                    // Where rows keep coming there is never a moment in which no file has any.
                    return oldOnly ? _batch : AddFromMemory(most);
                }

                // All that is left of it cannot be read.
                Confirm();
            }
        }

        Sweep();
        return oldOnly ? _batch : AddFromMemory(most);
    }

    /// <summary>The store has what was read last.</summary>
    public void Confirm()
    {
        if (_readFrom is { } segment)
        {
            segment.Confirmed = _readTo;
            if (!segment.IsOld)
            {
                Interlocked.Add(ref _taken, _readFrames);
            }

            _readFrom = null;
            Sweep();
        }

        lock (_lock)
        {
            for (; _readFromMemory > 0; _readFromMemory--)
            {
                _memoryBytes -= _memory.Dequeue().Length + JournalSegment.FrameHead;
                _taken++;
            }
        }
    }

    private List<LedgerRow> AddFromMemory(int most)
    {
        lock (_lock)
        {
            foreach (var row in _memory.Take(most - _batch.Count))
            {
                try
                {
                    _batch.Add(RowCodec.Read(row, _known));
                }
                catch (Exception e) when (e is InvalidDataException or ArgumentException)
                {
                    // It goes with the others that are read now, or it would be in the way of all that come after it.
                }

                _readFromMemory++;
            }
        }

        if (_batch.Count == 0)
        {
            Confirm();
        }

        return _batch;
    }
}
