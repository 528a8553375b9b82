using LlmProxy.Core.Accounting;
using Npgsql;

namespace LlmProxy.Host.Stores;

/// <summary>The ledger in PostgreSQL; any number of replicas write to it.</summary>
internal sealed class PostgresLedgerStore(PostgresDatabase database) : ILedgerStore
{
    private const int Step = 1000;

    // Classes of SQLSTATE that speak of a value, and not of the server.
    private const string DataException = "22";
    private const string IntegrityViolation = "23";

    // Of "user/GROUP/NAME/usd": a group's own slashes are escaped there, a user's are not.
    private const string UserOfMeter = "substring(meter from '^user/[^/]*/(.*)/[^/]*$')";

    private static readonly string _insert =
        $"INSERT INTO llmproxy_requests({LedgerColumns.List}) VALUES({PostgresText.Places(LedgerColumns.Names.Length)}) ON CONFLICT(id) DO NOTHING";

    private static PostgresTypes Types => PostgresTypes.Instance;

    public async ValueTask WriteAsync(IReadOnlyList<LedgerRow> rows, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Count == 0)
        {
            return;
        }

        await database.WriteAsync(connection => WriteOrRefuseAsync(connection, rows, cancellationToken), cancellationToken);
    }

    public async ValueTask<IReadOnlyList<Spend>> ReadSpendAsync(IReadOnlyCollection<string> windows, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var command = connection.Command("SELECT meter, period, cost FROM llmproxy_spend WHERE period = ANY($1)", [StoredText.Of(windows)]);
        return await command.ReadAsync(static row => new Spend(row.GetString(0), row.GetString(1), row.GetDecimal(2)), cancellationToken);
    }

    public async ValueTask<IReadOnlyList<UsageTotal>> SumAsync(UsageQuery query, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        using var turn = await database.TakeTurnAsync(cancellationToken);
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand { Connection = connection };
        command.CommandText = UsageSql.Select(query, Bucket(query.Bucket), Condition(command, query));
        return await command.ReadAsync(row => UsageSql.Read(row, query.By.Count, Types), cancellationToken);
    }

    public IAsyncEnumerable<LedgerRow> ReadAsync(UsageQuery query, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        return LedgerPages.ReadAsync(query, Step, (after, most) => ReadPageAsync(query, after, most, cancellationToken), cancellationToken);
    }

    public async ValueTask<int> RepriceAsync(IReadOnlyList<CostChange> changes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(changes);
        var changed = 0;
        foreach (var some in changes.Chunk(Step))
        {
            changed += await RepriceAsync(some, cancellationToken);
        }

        return changed;
    }

    public async ValueTask<int> EraseEndUserAsync(string endUser, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(endUser);
        object[] user = [StoredText.Of(endUser)];
        using var turn = await database.TakeTurnAsync(cancellationToken);
        return await database.WriteAsync(
            async connection =>
            {
                await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
                var rows = await connection.ExecuteAsync("UPDATE llmproxy_requests SET end_user = NULL WHERE end_user = $1", user, cancellationToken);
                await connection.ExecuteAsync("DELETE FROM llmproxy_spend WHERE end_user = $1", user, cancellationToken);
                foreach (var table in (string[])["llmproxy_limits", "llmproxy_slices"])
                {
                    await connection.ExecuteAsync($"DELETE FROM {table} WHERE meter LIKE 'user/%' AND {UserOfMeter} = $1", user, cancellationToken);
                }

                await transaction.CommitAsync(cancellationToken);
                return rows;
            },
            cancellationToken);
    }

    public async ValueTask<int> DeleteBeforeAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        var (deleted, some) = (0, 0);
        do
        {
            using var turn = await database.TakeTurnAsync(cancellationToken);
            some = await database.WriteAsync(
                connection => connection.ExecuteAsync(
                    $"DELETE FROM llmproxy_requests WHERE id IN (SELECT id FROM llmproxy_requests WHERE started < $1 ORDER BY started, id LIMIT {Step})",
                    [Types.Time(before)],
                    cancellationToken),
                cancellationToken);
            deleted += some;
        }
        while (some == Step);
        return deleted;
    }

    private static async Task<int> WriteOrRefuseAsync(NpgsqlConnection connection, IReadOnlyList<LedgerRow> rows, CancellationToken cancellationToken)
    {
        try
        {
            await WriteAsync(connection, rows, cancellationToken);
            return rows.Count;
        }
        catch (PostgresException e) when (e.SqlState.StartsWith(DataException, StringComparison.Ordinal) || e.SqlState.StartsWith(IntegrityViolation, StringComparison.Ordinal))
        {
            throw new LedgerRowRefusedException($"PostgreSQL says {e.SqlState}: {e.MessageText}.", e);
        }
    }

    private static async Task WriteAsync(NpgsqlConnection connection, IReadOnlyList<LedgerRow> rows, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var sums = new SpendSums();
        await using (var batch = new NpgsqlBatch(connection))
        {
            // By id, so that two that were given the same rows do not wait for each other in a circle.
            var inOrder = rows.OrderBy(static row => row.Id, StringComparer.Ordinal).ToArray();
            foreach (var row in inOrder)
            {
                var command = new NpgsqlBatchCommand(_insert);
                LedgerColumns.Write(row, new PostgresColumns(command.Parameters));
                batch.BatchCommands.Add(command);
            }

            await batch.ExecuteNonQueryAsync(cancellationToken);
            for (var i = 0; i < inOrder.Length; i++)
            {
                if (batch.BatchCommands[i].RecordsAffected > 0)
                {
                    sums.Add(inOrder[i], inOrder[i].Cost ?? 0);
                }
            }
        }

        await AddSpendAsync(connection, sums, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private async Task<int> RepriceAsync(CostChange[] changes, CancellationToken cancellationToken)
    {
        using var turn = await database.TakeTurnAsync(cancellationToken);
        return await database.WriteAsync(connection => RepriceAsync(connection, changes, cancellationToken), cancellationToken);
    }

    private static async Task<int> RepriceAsync(NpgsqlConnection connection, CostChange[] changes, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var (changed, sums) = (0, new SpendSums());
        var costs = changes.ToDictionary(static change => StoredText.Of(change.Id), static change => change.Cost, StringComparer.Ordinal);
        await using var select = connection.Command(
            $"SELECT {LedgerColumns.List} FROM llmproxy_requests WHERE id = ANY($1) ORDER BY id FOR UPDATE", [costs.Keys.ToArray()]);
        foreach (var row in await select.ReadAsync(static row => LedgerColumns.Read(row, Types), cancellationToken))
        {
            var cost = costs[row.Id];
            if (cost != row.Cost)
            {
                changed += await connection.ExecuteAsync(
                    "UPDATE llmproxy_requests SET cost = $1 WHERE id = $2", [cost is { } some ? some : DBNull.Value, row.Id], cancellationToken);
                sums.Add(row, (cost ?? 0) - (row.Cost ?? 0));
            }
        }

        await AddSpendAsync(connection, sums, cancellationToken);
        await MoveLimitsAsync(connection, sums, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return changed;
    }

    /// <summary>
    /// A budget that replicas share has read once what was spent: from then on it is told of every difference. Its rows are taken in the
    /// order in which exchanges take them.
    /// </summary>
    private static async Task MoveLimitsAsync(NpgsqlConnection connection, SpendSums sums, CancellationToken cancellationToken)
    {
        if (sums.IsEmpty)
        {
            return;
        }

        await using var batch = new NpgsqlBatch(connection);
        foreach (var (meter, window, cost) in sums.All.Select(static sum => (Meter: sum.Meter + "/usd", sum.Window, sum.Cost))
            .OrderBy(static sum => sum.Meter, StringComparer.Ordinal).ThenBy(static sum => sum.Window, StringComparer.Ordinal))
        {
            batch.BatchCommands.Add(PostgresText.BatchCommand("UPDATE llmproxy_limits SET forgotten = forgotten + $3 WHERE meter = $1 AND period = $2", meter, window, cost));
        }

        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task AddSpendAsync(NpgsqlConnection connection, SpendSums sums, CancellationToken cancellationToken)
    {
        if (sums.IsEmpty)
        {
            return;
        }

        await using var batch = new NpgsqlBatch(connection);
        foreach (var (meter, window, cost, endUser) in sums.All)
        {
            batch.BatchCommands.Add(PostgresText.BatchCommand(
                "INSERT INTO llmproxy_spend(meter, period, cost, end_user) VALUES($1, $2, $3, $4) ON CONFLICT(period, meter) DO UPDATE SET cost = llmproxy_spend.cost + excluded.cost",
                meter, window, cost, Columns.Text(endUser)));
        }

        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task<List<LedgerRow>> ReadPageAsync(UsageQuery query, LedgerRow? after, int most, CancellationToken cancellationToken)
    {
        using var turn = await database.TakeTurnAsync(cancellationToken);
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand { Connection = connection };
        var condition = Condition(command, query);
        if (after is not null)
        {
            condition += $"{(condition.Length == 0 ? " WHERE" : " AND")} (started, id) > ({command.Add(Types.Time(after.Started))}, {command.Add(after.Id)})";
        }

        command.CommandText = $"SELECT {LedgerColumns.List} FROM llmproxy_requests{condition} ORDER BY started, id LIMIT {most}";
        return await command.ReadAsync(static row => LedgerColumns.Read(row, Types), cancellationToken);
    }

    private static string Condition(NpgsqlCommand command, UsageQuery query) => UsageSql.Condition(
        query, moment => command.Add(Types.Time(moment)), (column, texts) => $"{column} = ANY({command.Add(StoredText.Of(texts))})");

    private static string Bucket(UsageBucket bucket)
    {
        var format = bucket switch
        {
            UsageBucket.Hour => "YYYY-MM-DD\"T\"HH24:00:00\"Z\"",
            UsageBucket.Month => "YYYY-MM\"-01T00:00:00Z\"",
            _ => "YYYY-MM-DD\"T00:00:00Z\"",
        };
        return $"to_char(started AT TIME ZONE 'UTC', '{format}')";
    }
}
