using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Accounting;

/// <summary>The loop in the background.</summary>
internal sealed partial class Ledger
{
    private enum Written
    {
        Nothing,
        Few,
        Some,
        Failed,
    }

    private async Task RunAsync()
    {
        var backoff = _shortestBackoff;
        while (true)
        {
            var written = await TryStepAsync();
            if (_stopping.Task.IsCompleted && written is not (Written.Some or Written.Few))
            {
                break;
            }

            switch (written)
            {
                case Written.Failed:
                    await _stopping.Task.WaitAsync(backoff, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    backoff = backoff * 2 < _longestBackoff ? backoff * 2 : _longestBackoff;
                    break;
                case Written.Some:
                    backoff = _shortestBackoff;
                    await _stopping.Task.WaitAsync(_pause, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    break;
                case Written.Few:
                    backoff = _shortestBackoff;
                    await RestAsync();
                    break;
                default:
                    await SleepAsync();
                    break;
            }
        }

        _hasEnded = true;
        foreach (var asked in _spends.Concat(_flushes))
        {
            asked.Answer.TrySetCanceled();
        }
    }

    /// <summary>Whatever goes wrong is told and tried again: if this loop ended, rows would pile up and nobody would know.</summary>
    private async ValueTask<Written> TryStepAsync()
    {
        try
        {
            LoadOld();
            Retain();
            return await WriteAsync();
        }
        catch (Exception e)
        {
            // Not the store's doing: what it does not take is told of where it is offered.
            if (_storePace.TryPass())
            {
                Log.StepFailed(_logger, _journal.WaitingRows, e);
            }

            return Written.Failed;
        }
    }

    private async ValueTask<Written> WriteAsync()
    {
        try
        {
            while (true)
            {
                // What has been spent before is read between the rows of before and those of now.
                var isAsked = !_spends.IsEmpty;
                var isOld = isAsked || _journal.HasOld;
                var rows = _journal.Read(BatchSize, isOld);
                if (rows.Count == 0)
                {
                    if (isAsked ? await AnswerSpendAsync() : isOld)
                    {
                        continue;
                    }

                    AnswerFlushes();
                    return Written.Nothing;
                }

                if (!await TryBringAsync(rows))
                {
                    await BringEachAsync(rows);
                }

                _journal.Confirm();
                _refused.Forget();
                NoteUp();
                AnswerFlushes();
                if (rows.Count < BatchSize)
                {
                    return rows.Count < FewRows ? Written.Few : Written.Some;
                }
            }
        }
        catch (Exception e)
        {
            _wasDown = true;
            if (!_ending.IsCancellationRequested && _storePace.TryPass())
            {
                Log.StoreFailed(_logger, _journal.WaitingRows, e);
            }

            return Written.Failed;
        }
    }

    private async ValueTask<bool> AnswerSpendAsync()
    {
        if (_spends.TryPeek(out var asked))
        {
            asked.Answer.TrySetResult(await _store!.ReadSpendAsync(asked.Windows, _ending.Token).AsTask().WaitAsync(_ending.Token));
            _spends.TryDequeue(out _);
        }

        return true;
    }

    // One asked later has as many rows to wait for or more.
    private void AnswerFlushes()
    {
        while (_flushes.TryPeek(out var asked) && _journal.HasBrought(asked.Appended))
        {
            _flushes.TryDequeue(out _);
            asked.Answer.TrySetResult([]);
        }
    }

    private void NoteUp()
    {
        if (_wasDown)
        {
            _wasDown = false;
            Log.StoreIsBack(_logger);
        }
    }

    /// <summary>Apart from the writing: while a store hangs, there must be files to go on in.</summary>
    private async Task MakeRoomAsync()
    {
        while (true)
        {
            await _room.WaitAsync();
            Volatile.Write(ref _isRoomAsked, 0);
            if (_ending.IsCancellationRequested)
            {
                break;
            }

            MakeRoom();
            if (_journal.NeedsSpare && !_stopping.Task.IsCompleted)
            {
                // No room for now: not at once again.
                await _stopping.Task.WaitAsync(_pause, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Sees to it that there is a file to go on in. While the disk has no room, rows wait in memory.</summary>
    private void MakeRoom()
    {
        try
        {
            if (_folder is null)
            {
                _folder = JournalFolder.Take(_settings.Directory, NoteForeign);
                _journal.Open(_folder);
            }

            _journal.Prepare();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (_diskPace.TryPass())
            {
                Log.DiskFailed(_logger, _settings.Directory, e);
            }
        }
    }

    /// <summary>Takes over what earlier processes have left: those of our folder once, others' each round.</summary>
    private void LoadOld()
    {
        if (_folder is null || (_hasLoadedOld && _time.GetElapsedTime(_roundAt) < _round))
        {
            return;
        }

        _roundAt = _time.GetTimestamp();
        try
        {
            _hasLoadedOld = true;
            foreach (var folder in _adopted.Append(_folder).Where(static folder => folder.HasUnopened))
            {
                _journal.AddOld(folder, NoteFault);
            }

            foreach (var folder in JournalFolder.TakeLeft(_settings.Directory, NoteForeign))
            {
                _adopted.Add(folder);
                _journal.AddOld(folder, NoteFault);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (_diskPace.TryPass())
            {
                Log.DiskFailed(_logger, _settings.Directory, e);
            }
        }
    }

    private void NoteFault(string path, string fault)
    {
        _metrics.Ledger.Dropped();
        Log.Faulty(_logger, path, fault);
    }

    private void Retain()
    {
        // Who only asks for what was spent, or for an erasure, asks for no more than that.
        if (!_isServing || _settings.KeepDays is not { } days || (_retainedAt != 0 && _time.GetElapsedTime(_retainedAt) < TimeSpan.FromDays(1)))
        {
            return;
        }

        _retainedAt = _time.GetTimestamp();
        _ = DeleteAsync(_time.GetUtcNow().AddDays(-days));
    }

    private async Task DeleteAsync(DateTimeOffset before)
    {
        try
        {
            await _store!.DeleteBeforeAsync(before, _ending.Token);
        }
        catch (Exception e)
        {
            // Tomorrow again.
            if (!_ending.IsCancellationRequested)
            {
                Log.NotDeleted(_logger, e);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "The ledger's store does not take rows: {Rows} wait in the journal. Told once a minute.")]
        public static partial void StoreFailed(ILogger logger, long rows, Exception fault);

        [LoggerMessage(2, LogLevel.Information, "The ledger's store takes rows again.")]
        public static partial void StoreIsBack(ILogger logger);

        [LoggerMessage(3, LogLevel.Error, "Rows of the ledger are lost: the journal is full, on disk and in memory. Told once a minute.")]
        public static partial void Lost(ILogger logger);

        [LoggerMessage(4, LogLevel.Error, "Rows of the ledger wait in memory: the journal has no room on disk. Told once a minute.")]
        public static partial void InMemory(ILogger logger);

        [LoggerMessage(5, LogLevel.Error, "The journal in {Directory} cannot be written.")]
        public static partial void DiskFailed(ILogger logger, string directory, Exception fault);

        [LoggerMessage(6, LogLevel.Warning, "The journal {Path}: {Fault}.")]
        public static partial void Faulty(ILogger logger, string path, string fault);

        [LoggerMessage(7, LogLevel.Warning, "Stopped with {Rows} rows of the ledger in the journal: the next start brings them to the store.")]
        public static partial void LeftInJournal(ILogger logger, long rows);

        [LoggerMessage(8, LogLevel.Error, "Old rows of the ledger could not be deleted; tomorrow again.")]
        public static partial void NotDeleted(ILogger logger, Exception fault);

        [LoggerMessage(10, LogLevel.Error, "What earlier processes have left of the ledger, or what is old in it, could not be looked after; it is tried again, and {Rows} rows wait for that. Told once a minute.")]
        public static partial void StepFailed(ILogger logger, long rows, Exception fault);
    }
}
