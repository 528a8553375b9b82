using LlmProxy.Core.Accounting;
using Microsoft.Data.Sqlite;

namespace LlmProxy.Host.Stores;

/// <summary>The ledger in SQLite. What writes and what reads have a connection each: a long report holds up no rows.</summary>
internal sealed class SqliteLedgerStore(string path, StoreHealth? health = null) : ILedgerStore, IDisposable
{
    /// <summary>In one transaction, between which others get their turn.</summary>
    private const int Step = 1000;

    private readonly SqliteDatabase _writing = new(path, "sqlite ledger", health);
    private readonly SqliteDatabase _reading = new(path, "sqlite reports", health);

    // Apart from reports: after a crash of a large one a check takes minutes, and budgets wait for what the ledger says was spent.
    private readonly SqliteDatabase _care = new(path, "sqlite care", health);

    private static SqliteTypes Types => SqliteTypes.Instance;

    public async ValueTask WriteAsync(IReadOnlyList<LedgerRow> rows, CancellationToken cancellationToken) =>
        await _writing.WriteAsync(connection => WriteOrRefuse(connection, rows), cancellationToken);

    public async ValueTask<IReadOnlyList<Spend>> ReadSpendAsync(IReadOnlyCollection<string> windows, CancellationToken cancellationToken) =>
        await _reading.ReadAsync(
            connection =>
            {
                using var command = connection.Command(
                    "SELECT meter, period, cost FROM llmproxy_spend WHERE period IN (SELECT value FROM json_each($0))", SqliteText.Json(windows));
                return Read(command, static row => new Spend(row.GetString(0), row.GetString(1), Types.ReadMoney(row, 2)));
            },
            cancellationToken);

    public async ValueTask<IReadOnlyList<UsageTotal>> SumAsync(UsageQuery query, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        return await _reading.ReadAsync(
            connection =>
            {
                using var command = connection.CreateCommand();
                command.CommandText = UsageSql.Select(query, Bucket(query.Bucket), Condition(command, query));
                return Read(command, row => UsageSql.Read(row, query.By.Count, Types));
            },
            cancellationToken);
    }

    public IAsyncEnumerable<LedgerRow> ReadAsync(UsageQuery query, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        return LedgerPages.ReadAsync(query, Step, (after, most) => _reading.ReadAsync(connection => ReadPage(connection, query, after, most), cancellationToken), cancellationToken);
    }

    public async ValueTask<int> RepriceAsync(IReadOnlyList<CostChange> changes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(changes);
        var changed = 0;
        foreach (var some in changes.Chunk(Step))
        {
            changed += await _writing.WriteAsync(connection => Reprice(connection, some), cancellationToken);
        }

        return changed;
    }

    public async ValueTask<int> EraseEndUserAsync(string endUser, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(endUser);
        var user = StoredText.Of(endUser);
        return await _writing.WriteAsync(
            connection =>
            {
                int rows;
                using (var transaction = connection.BeginTransaction())
                {
                    rows = connection.Execute("UPDATE llmproxy_requests SET end_user = NULL WHERE end_user = $0", user);
                    connection.Execute("DELETE FROM llmproxy_spend WHERE end_user = $0", user);
                    transaction.Commit();
                }

                // What was there before stands in the file beside the database until that is cut off. Where a report holds it, the end of an instance does that.
                connection.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
                return rows;
            },
            cancellationToken);
    }

    public async ValueTask<int> DeleteBeforeAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        var (deleted, some) = (0, 0);
        do
        {
            some = await _writing.WriteAsync(
                connection => connection.Execute(
                    $"DELETE FROM llmproxy_requests WHERE id IN (SELECT id FROM llmproxy_requests WHERE started < $0 ORDER BY started LIMIT {Step})", Types.Time(before)),
                cancellationToken);
            deleted += some;
        }
        while (some == Step);
        return deleted;
    }

    /// <summary>Whether the file is whole. Reads all of it, which takes a second for each 100 MB or so; nothing waits for it but a backup.</summary>
    /// <param name="thoroughly">Compares indexes with their tables as well.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What is wrong; empty: nothing.</returns>
    public async Task<IReadOnlyList<string>> CheckAsync(bool thoroughly, CancellationToken cancellationToken)
    {
        var found = await _care.ReadAsync(
            connection =>
            {
                using var command = connection.Command(thoroughly ? "PRAGMA integrity_check" : "PRAGMA quick_check");
                command.CommandTimeout = 0;
                return Read(command, static row => row.GetString(0));
            },
            cancellationToken);
        return found is ["ok"] ? [] : found;
    }

    /// <summary>Whether anything can be written now; its health is told.</summary>
    public Task ProbeAsync(CancellationToken cancellationToken) =>
        _writing.WriteAsync(static connection => connection.Execute("UPDATE llmproxy_revision SET value = value"), cancellationToken);

    /// <summary>Writes a copy of the whole database, keys included, as of one moment, while others write on.</summary>
    /// <param name="copy">A file that does not exist.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task BackUpAsync(string copy, CancellationToken cancellationToken) =>
        _care.ReadAsync(
            connection =>
            {
                using var command = connection.Command("VACUUM INTO $0", copy);
                command.CommandTimeout = 0;
                return command.ExecuteNonQuery();
            },
            cancellationToken);

    public void Dispose()
    {
        _writing.Dispose();
        _reading.Dispose();
        _care.Dispose();
    }

    // Codes that speak of a value, and not of the file, the disk or somebody else's lock.
    private int WriteOrRefuse(SqliteConnection connection, IReadOnlyList<LedgerRow> rows)
    {
        try
        {
            return Write(connection, rows);
        }
        catch (SqliteException e) when (e.SqliteErrorCode is SQLitePCL.raw.SQLITE_CONSTRAINT or SQLitePCL.raw.SQLITE_MISMATCH or SQLitePCL.raw.SQLITE_TOOBIG)
        {
            throw new LedgerRowRefusedException(e.Message, e);
        }
        catch (OverflowException e)
        {
            throw new LedgerRowRefusedException("A number is larger than a column can hold.", e);
        }
    }

    private int Write(SqliteConnection connection, IReadOnlyList<LedgerRow> rows)
    {
        SqliteLedgerInsert insert;
        using (var transaction = connection.BeginTransaction())
        {
            insert = _writing.Kept(static connection => new SqliteLedgerInsert(connection));
            if (insert.TryWrite(rows))
            {
                return Commit(connection, transaction, rows);
            }
        }

        // What was in the database already, after a crash or where two bring the same, each row says for itself.
        using var again = connection.BeginTransaction();
        return Commit(connection, again, [.. rows.Where(insert.Write)]);
    }

    /// <summary>Ends it with what the rows add to spend.</summary>
    private static int Commit(SqliteConnection connection, SqliteTransaction transaction, IReadOnlyList<LedgerRow> added)
    {
        var sums = new SpendSums();
        foreach (var row in added)
        {
            // As it will be read again: what was spent is the sum of the rows.
            sums.Add(row, Rounded(row.Cost) ?? 0);
        }

        AddSpend(connection, sums);
        transaction.Commit();
        return added.Count;
    }

    private static int Reprice(SqliteConnection connection, CostChange[] changes)
    {
        var (changed, sums) = (0, new SpendSums());
        using var transaction = connection.BeginTransaction();
        using var select = connection.Command($"SELECT {LedgerColumns.List} FROM llmproxy_requests WHERE id = $0", "");
        foreach (var (id, cost) in changes)
        {
            select.Parameters[0].Value = StoredText.Of(id);
            if (Read(select, static row => LedgerColumns.Read(row, Types)) is not [var row])
            {
                continue;
            }

            var rounded = Rounded(cost);
            if (rounded != row.Cost)
            {
                changed += connection.Execute("UPDATE llmproxy_requests SET cost = $0 WHERE id = $1", rounded is { } known ? Types.Money(known) : DBNull.Value, row.Id);
                sums.Add(row, (rounded ?? 0) - (row.Cost ?? 0));
            }
        }

        AddSpend(connection, sums);
        transaction.Commit();
        return changed;
    }

    private static decimal? Rounded(decimal? cost) => cost is { } some ? SqliteTypes.Rounded(some) : null;

    private static void AddSpend(SqliteConnection connection, SpendSums sums)
    {
        if (sums.IsEmpty)
        {
            return;
        }

        using var add = connection.Command(
            "INSERT INTO llmproxy_spend(meter, period, cost, end_user) VALUES($0, $1, $2, $3) ON CONFLICT(period, meter) DO UPDATE SET cost = cost + excluded.cost",
            new object[4]);
        foreach (var (meter, window, cost, endUser) in sums.All)
        {
            add.Execute(meter, window, Types.Money(cost), Columns.Text(endUser));
        }
    }

    private static List<LedgerRow> ReadPage(SqliteConnection connection, UsageQuery query, LedgerRow? after, int most)
    {
        using var command = connection.CreateCommand();
        var condition = Condition(command, query);
        if (after is not null)
        {
            condition += $"{(condition.Length == 0 ? " WHERE" : " AND")} (started, id) > ({command.Add(Types.Time(after.Started))}, {command.Add(after.Id)})";
        }

        command.CommandText = $"SELECT {LedgerColumns.List} FROM llmproxy_requests{condition} ORDER BY started, id LIMIT {most}";
        return Read(command, static row => LedgerColumns.Read(row, Types));
    }

    private static string Condition(SqliteCommand command, UsageQuery query) => UsageSql.Condition(
        query, moment => command.Add(Types.Time(moment)), (column, texts) => $"{column} IN (SELECT value FROM json_each({command.Add(SqliteText.Json(texts))}))");

    private static string Bucket(UsageBucket bucket)
    {
        var format = bucket switch
        {
            UsageBucket.Hour => "%Y-%m-%dT%H:00:00Z",
            UsageBucket.Month => "%Y-%m-01T00:00:00Z",
            _ => "%Y-%m-%dT00:00:00Z",
        };
        return $"strftime('{format}', started / 1000000, 'unixepoch')";
    }

    private static List<T> Read<T>(SqliteCommand command, Func<SqliteDataReader, T> read)
    {
        var all = new List<T>();
        using var rows = command.ExecuteReader();
        while (rows.Read())
        {
            all.Add(read(rows));
        }

        return all;
    }
}
