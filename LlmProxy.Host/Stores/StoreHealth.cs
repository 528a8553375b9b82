using System.Diagnostics.Metrics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmProxy.Host.Stores;

/// <summary>Whether the store does what it is asked, for readiness, the log and metrics. Serving does not depend on it.</summary>
internal sealed partial class StoreHealth
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Counter<long> _failures;
    private bool _isDamaged;

    public StoreHealth(TimeProvider time, ILogger<StoreHealth> logger, IMeterFactory meters, string meter)
    {
        (_time, _logger) = (time, logger);
        _failures = meters.Create(meter).CreateCounter<long>("llmproxy.store.failures", "{failure}", "What the store was asked for and did not do.");
    }

    /// <summary>What is the matter, and since when; null if nothing is.</summary>
    public (string Problem, DateTimeOffset Since)? Trouble { get; private set; }

    public void Succeeded()
    {
        if (Trouble is null)
        {
            return;
        }

        lock (_lock)
        {
            // What is damaged stays so, whatever else can still be read.
            if (Trouble is { } trouble && !_isDamaged)
            {
                Trouble = null;
                Log.Back(_logger, _time.GetUtcNow() - trouble.Since);
            }
        }
    }

    public void Failed(Exception e)
    {
        if (e is OperationCanceledException)
        {
            return;
        }

        _failures.Add(1);
        Note(Explain(e), e is SqliteException { SqliteErrorCode: SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB });
    }

    /// <summary>A check has found the file damaged.</summary>
    public void Damaged(IReadOnlyList<string> found) => Note($"The database is damaged: {found[0]} ({found.Count} findings). \"llmproxy check --store\" tells all; put a backup in its place.", isDamaged: true);

    private static string Explain(Exception e) => e switch
    {
        RefusedException => e.Message,
        SqliteException sqlite => $"SQLite: {sqlite.Message}",
        PostgresException postgres => $"PostgreSQL: {postgres.SqlState} {postgres.MessageText}",
        NpgsqlException => "PostgreSQL cannot be reached.",
        _ => $"{e.GetType().Name}: {e.Message}",
    };

    private void Note(string problem, bool isDamaged)
    {
        lock (_lock)
        {
            if (Trouble is null || (isDamaged && !_isDamaged))
            {
                Log.Trouble(_logger, problem);
            }

            _isDamaged |= isDamaged;
            Trouble = (problem, Trouble?.Since ?? _time.GetUtcNow());
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "The store is in trouble: {Problem} Requests are served all the same; what they cost waits on disk.")]
        public static partial void Trouble(ILogger logger, string problem);

        [LoggerMessage(2, LogLevel.Warning, "The store is back after {Duration}.")]
        public static partial void Back(ILogger logger, TimeSpan duration);
    }
}
