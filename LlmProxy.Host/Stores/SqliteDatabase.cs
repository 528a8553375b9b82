using LlmProxy.Core.Accounting;
using Microsoft.Data.Sqlite;

namespace LlmProxy.Host.Stores;

/// <summary>
/// A SQLite database and one connection to it, on a thread of its own. A connection on which something failed is closed and opened
/// anew: whatever was the matter with the file, what comes next finds it as it is then.
/// </summary>
/// <param name="path">The file.</param>
/// <param name="name">The thread's.</param>
/// <param name="health">Is told how it goes.</param>
internal sealed class SqliteDatabase(string path, string name, StoreHealth? health) : IDisposable
{
    /// <summary>Another process may be writing; whoever waits here is no request.</summary>
    private const int PatienceSeconds = 5;

    private readonly StoreThread _thread = new(name);
    private readonly Lock _reading = new();
    private SqliteConnection? _read;
    private volatile bool _isEnding;
    private SqliteConnection? _connection;
    private IDisposable? _kept;

    public string Path => path;

    /// <summary>
    /// Whether the database can be used, and if so, brings it to the newest version. One that only is busy is no reason not to start.
    /// </summary>
    /// <returns>Null, or that it is busy, and so as it was.</returns>
    /// <exception cref="RefusedException">It cannot be; the text says why and what to do. The file is left as it is.</exception>
    public static string? Prepare(string path)
    {
        try
        {
            MakeOwners(path);
            using var connection = Open(path);
            return null;
        }
        catch (SqliteException e) when (e.SqliteErrorCode is SQLitePCL.raw.SQLITE_BUSY or SQLitePCL.raw.SQLITE_LOCKED)
        {
            return Explain(path, e) + " It is brought to the newest version when an instance first uses it.";
        }
        catch (SqliteException e)
        {
            throw new RefusedException(Explain(path, e));
        }
    }

    /// <summary>Reads something. Nobody waits for what is no longer wanted: it is interrupted.</summary>
    public async Task<T> ReadAsync<T>(Func<SqliteConnection, T> work, CancellationToken cancellationToken)
    {
        try
        {
            return await _thread.RunAsync(() => Run(work, isWriting: false, cancellationToken), cancellationToken);
        }
        catch (SqliteException e) when (e.SqliteErrorCode == SQLitePCL.raw.SQLITE_INTERRUPT && _isEnding)
        {
            throw new OperationCanceledException("The store is closed.", e);
        }
    }

    /// <summary>Writes something. What has begun is done to its end.</summary>
    public Task<T> WriteAsync<T>(Func<SqliteConnection, T> work, CancellationToken cancellationToken) =>
        _thread.RunAsync(() => Run(work, isWriting: true, CancellationToken.None), cancellationToken);

    /// <summary>What is made once for the connection, and goes before it does. For what is being done with that connection.</summary>
    public T Kept<T>(Func<SqliteConnection, T> make)
        where T : class, IDisposable => (T)(_kept ??= make(_connection!));

    /// <summary>What is being read is interrupted, what waits to be is not begun; what is to be written is written still.</summary>
    public void Dispose()
    {
        _isEnding = true;
        Interrupt();
        // Again: what has not quite begun is not interrupted.
        _thread.Dispose(Interrupt);
        Close();
    }

    /// <summary>What is wrong with a database file, for people.</summary>
    public static string Explain(string path, SqliteException e) => e.SqliteErrorCode switch
    {
        SQLitePCL.raw.SQLITE_NOTADB => $"{path} is no SQLite database, or its beginning was overwritten (error 26). It was left as it is. "
            + "Put a backup in its place, or move it away to begin with an empty one.",
        SQLitePCL.raw.SQLITE_CORRUPT => $"{path} is damaged (error 11). It was left as it is. "
            + "Put a backup in its place, or try to save what is in it with \"sqlite3 FILE .recover\".",
        SQLitePCL.raw.SQLITE_CANTOPEN => $"{path} cannot be opened or made. May this user write there?",
        SQLitePCL.raw.SQLITE_READONLY => $"{path} can only be read. May this user write there?",
        SQLitePCL.raw.SQLITE_BUSY or SQLitePCL.raw.SQLITE_LOCKED => $"{path} is busy: another program has it locked.",
        SQLitePCL.raw.SQLITE_FULL => $"{path}: the disk is full.",
        _ => $"{path} cannot be used: {e.Message}",
    };

    /// <summary>A connection that changes nothing, not even to what version a database is.</summary>
    public static SqliteConnection OpenToLook(string path)
    {
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadOnly, Pooling = false, DefaultTimeout = PatienceSeconds }.ToString());
        connection.Open();
        return connection;
    }

    /// <summary>The folder may be one that others look into; what lies beside the file gets its mode.</summary>
    private static void MakeOwners(string path)
    {
        if (OperatingSystem.IsWindows() || File.Exists(path))
        {
            return;
        }

        try
        {
            using var file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another instance was first, or what opens it says what is the matter.
        }
    }

    private static SqliteConnection Open(string path)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path,
            // One that is kept open for others would be one that nobody closes.
            Pooling = false,
            DefaultTimeout = PatienceSeconds,
        }.ToString());
        try
        {
            connection.Open();
            // Before anything is changed in it.
            SqliteSchema.Read(connection, path);

            // NORMAL: a power cut may take the last transactions, never the file; a killed process takes nothing. What is deleted or moved within
            // the file is overwritten, so that a name that was erased is in no unused part of it.
            // 4,000 pages: with 1,000, the usual, a busy ledger waits for the disk four times a second, to move pages that it goes on to change.
            connection.ExecuteAll(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA secure_delete = ON");
            SqliteSchema.Migrate(connection, path);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private T Run<T>(Func<SqliteConnection, T> work, bool isWriting, CancellationToken cancellationToken)
    {
        try
        {
            var connection = _connection ??= Open(path);
            var result = isWriting ? work(connection) : Read(connection, work, cancellationToken);
            if (isWriting)
            {
                health?.Wrote();
            }
            else
            {
                health?.Read();
            }

            return result;
        }
        catch (Exception e) when (e is SqliteException { SqliteErrorCode: SQLitePCL.raw.SQLITE_INTERRUPT } or OperationCanceledException)
        {
            // As was asked for.
            throw;
        }
        catch (LedgerRowRefusedException e)
        {
            health?.FailedToWrite(e);
            throw;
        }
        catch (Exception e)
        {
            // Where it could not even be opened it cannot be read either.
            health?.Failed(e, isWriting && _connection is not null);
            Close();
            throw;
        }
    }

    private T Read<T>(SqliteConnection connection, Func<SqliteConnection, T> work, CancellationToken cancellationToken)
    {
        using var registration = cancellationToken.UnsafeRegister(static self => ((SqliteDatabase)self!).Interrupt(), this);
        try
        {
            lock (_reading)
            {
                if (_isEnding || cancellationToken.IsCancellationRequested)
                {
                    throw new OperationCanceledException(cancellationToken);
                }

                _read = connection;
            }

            return work(connection);
        }
        finally
        {
            lock (_reading)
            {
                _read = null;
            }
        }
    }

    private void Close()
    {
        _kept?.Dispose();
        _kept = null;
        _connection?.Dispose();
        _connection = null;
    }

    /// <summary>Ends what is being read, if anything is.</summary>
    private void Interrupt()
    {
        lock (_reading)
        {
            if (_read?.Handle is { } handle)
            {
                SQLitePCL.raw.sqlite3_interrupt(handle);
            }
        }
    }
}
