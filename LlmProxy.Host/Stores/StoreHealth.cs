using LlmProxy.Core.Accounting;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace LlmProxy.Host.Stores;

/// <summary>
/// Whether the store does what it is asked, for readiness, the log and metrics. Serving does not depend on it. What is read and what is
/// written are told apart: a standby, or a full disk, answers every question and takes nothing.
/// </summary>
internal sealed class StoreHealth(TimeProvider time)
{
    private readonly Lock _lock = new();
    private long _failures;
    private bool _isDamaged;
    private StoreTrouble? _reading;
    private StoreTrouble? _writing;

    /// <summary>What is the matter, and since when; null if nothing is.</summary>
    public StoreTrouble? Trouble => _isDamaged ? _reading : _writing ?? _reading;

    /// <summary>Something was not written, and nothing has been since.</summary>
    public bool IsWritingInTrouble => _writing is not null;

    /// <summary>Something was not read, and nothing has been since, or the file is damaged.</summary>
    public bool IsReadingInTrouble => _reading is not null;

    /// <summary>How often it did not do what it was asked.</summary>
    public long Failures => Volatile.Read(ref _failures);

    /// <summary>Told when something begins to be the matter, and, with null, when that is over.</summary>
    public Action<StoreTrouble?>? Changed { get; set; }

    /// <summary>Something could be read, or a connection be opened.</summary>
    public void Read() => End(reading: true, writing: false);

    /// <summary>Something was written: then it can be read as well.</summary>
    public void Wrote() => End(reading: true, writing: true);

    public void Failed(Exception e, bool isWriting = false)
    {
        if (e is not OperationCanceledException)
        {
            Interlocked.Increment(ref _failures);
            Note(Explain(e), e is SqliteException { SqliteErrorCode: SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB }, isWriting);
        }
    }

    /// <summary>What became of something that was to be written.</summary>
    public void FailedToWrite(Exception e)
    {
        if (e is LedgerRowRefusedException)
        {
            // It works as it should: what was to be written is at fault.
            Wrote();
        }
        else
        {
            Failed(e, isWriting: true);
        }
    }

    /// <summary>A check has found the file damaged.</summary>
    public void Damaged(IReadOnlyList<string> found) =>
        Note($"The database is damaged ({found.Count} findings, the first: {found[0]}). Put a backup in its place.", isDamaged: true, isWriting: false);

    /// <summary>What was the matter, for people.</summary>
    public static string Explain(Exception e) => e switch
    {
        SqliteException sqlite => sqlite.Message,
        PostgresException postgres => $"PostgreSQL says {postgres.SqlState}: {postgres.MessageText}.",
        NpgsqlException => "PostgreSQL cannot be reached.",
        _ => e.Message,
    };

    private void End(bool reading, bool writing)
    {
        if (Trouble is null)
        {
            return;
        }

        lock (_lock)
        {
            var was = Trouble;
            _writing = writing ? null : _writing;
            // What is damaged stays so, whatever else can still be read.
            _reading = reading && !_isDamaged ? null : _reading;
            if (was is not null && Trouble is null)
            {
                Changed?.Invoke(null);
            }
        }
    }

    private void Note(string problem, bool isDamaged, bool isWriting)
    {
        lock (_lock)
        {
            var isNew = Trouble is null || (isDamaged && !_isDamaged);
            _isDamaged |= isDamaged;
            var trouble = new StoreTrouble(problem, Trouble?.Since ?? time.GetUtcNow());
            if (isWriting && !isDamaged)
            {
                _writing = trouble;
            }
            else
            {
                _reading = trouble;
            }

            if (isNew)
            {
                Changed?.Invoke(trouble);
            }
        }
    }
}

/// <summary>What is the matter with the store, for people, and since when.</summary>
internal sealed record StoreTrouble(string Problem, DateTimeOffset Since);
