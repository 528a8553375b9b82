using Microsoft.Data.Sqlite;
using Npgsql;

namespace LlmProxy.Host.Stores;

/// <summary>Whether the store does what it is asked, for readiness, the log and metrics. Serving does not depend on it.</summary>
internal sealed class StoreHealth(TimeProvider time)
{
    private readonly Lock _lock = new();
    private long _failures;
    private bool _isDamaged;

    /// <summary>What is the matter, and since when; null if nothing is.</summary>
    public StoreTrouble? Trouble { get; private set; }

    /// <summary>How often it did not do what it was asked.</summary>
    public long Failures => Volatile.Read(ref _failures);

    /// <summary>Told when something begins to be the matter, and, with null, when that is over.</summary>
    public Action<StoreTrouble?>? Changed { get; set; }

    public void Succeeded()
    {
        if (Trouble is null)
        {
            return;
        }

        lock (_lock)
        {
            // What is damaged stays so, whatever else can still be read.
            if (Trouble is not null && !_isDamaged)
            {
                Trouble = null;
                Changed?.Invoke(null);
            }
        }
    }

    public void Failed(Exception e)
    {
        if (e is not OperationCanceledException)
        {
            Interlocked.Increment(ref _failures);
            Note(Explain(e), e is SqliteException { SqliteErrorCode: SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB });
        }
    }

    /// <summary>A check has found the file damaged.</summary>
    public void Damaged(IReadOnlyList<string> found) =>
        Note($"The database is damaged ({found.Count} findings, the first: {found[0]}). Put a backup in its place.", isDamaged: true);

    /// <summary>What was the matter, for people: without what a server says of names and values.</summary>
    public static string Explain(Exception e) => e switch
    {
        SqliteException sqlite => sqlite.Message,
        PostgresException postgres => $"PostgreSQL says {postgres.SqlState}: {postgres.MessageText}.",
        NpgsqlException => "PostgreSQL cannot be reached.",
        _ => e.Message,
    };

    private void Note(string problem, bool isDamaged)
    {
        lock (_lock)
        {
            var isNew = Trouble is null || (isDamaged && !_isDamaged);
            _isDamaged |= isDamaged;
            Trouble = new StoreTrouble(problem, Trouble?.Since ?? time.GetUtcNow());
            if (isNew)
            {
                Changed?.Invoke(Trouble);
            }
        }
    }
}

/// <summary>What is the matter with the store, for people, and since when.</summary>
internal sealed record StoreTrouble(string Problem, DateTimeOffset Since);
