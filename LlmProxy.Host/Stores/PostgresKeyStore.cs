using System.Data;
using System.Globalization;
using LlmProxy.Core.Authentication;
using Npgsql;

namespace LlmProxy.Host.Stores;

/// <summary>
/// Keys and groups in PostgreSQL. A change is told to all replicas by <c>NOTIFY</c>; where that does not come through (a pooler in
/// between, an engine without it), looking once a second finds it.
/// </summary>
internal sealed class PostgresKeyStore : IKeyStore, IAsyncDisposable
{
    private static readonly TimeSpan _step = TimeSpan.FromMilliseconds(900);

    /// <summary>Keys that are inserted by one statement.</summary>
    private const int Step = 10_000;

    // A hundred thousand may come at once: the columns go as arrays, and not the rows one by one.
    private static readonly string _insertKeys = $"""
        INSERT INTO llmproxy_keys({KeyColumns.List})
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::timestamptz[],
            $9::timestamptz[], $10::timestamptz[], $11::text[], $12::bigint[])
        ON CONFLICT DO NOTHING
        """;

    private static readonly string _insertGroup = $"INSERT INTO llmproxy_groups({KeyColumns.GroupList}) VALUES({PostgresText.Places(KeyColumns.GroupNames.Length)}) ON CONFLICT DO NOTHING";
    private static readonly string _updateKey = Update("llmproxy_keys", KeyColumns.Names);
    private static readonly string _updateGroup = Update("llmproxy_groups", KeyColumns.GroupNames);

    private readonly PostgresDatabase _database;
    private readonly ChangeSignal _changed;
    private readonly PostgresListener _listener;

    public PostgresKeyStore(PostgresDatabase database, TimeProvider time)
    {
        _database = database;
        _changed = new ChangeSignal(time);
        _listener = new PostgresListener(database, told => _changed.Set(long.TryParse(told, CultureInfo.InvariantCulture, out var revision) ? revision : 0), time);
    }

    private static PostgresTypes Types => PostgresTypes.Instance;

    public async ValueTask<KeyStoreChanges> ReadAsync(long afterRevision, CancellationToken cancellationToken)
    {
        await using var connection = await _database.OpenAsync(cancellationToken);
        // All of it as of one moment.
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        await using var current = connection.Command("SELECT value FROM llmproxy_revision");
        var revision = (long)(await current.ExecuteScalarAsync(cancellationToken))!;
        // An older database was put in its place: everything may be different.
        var after = revision < afterRevision ? 0 : afterRevision;
        if (revision == after)
        {
            return new KeyStoreChanges(revision, [], []);
        }

        await using var keys = connection.Command($"SELECT {KeyColumns.List} FROM llmproxy_keys WHERE revision > $1 ORDER BY revision", after);
        var changedKeys = await keys.ReadAsync(static row => KeyColumns.ReadKey(row, Types), cancellationToken);
        await using var groups = connection.Command($"SELECT {KeyColumns.GroupList} FROM llmproxy_groups WHERE revision > $1 ORDER BY revision", after);
        return new KeyStoreChanges(revision, changedKeys, await groups.ReadAsync(static row => KeyColumns.ReadGroup(row, Types), cancellationToken));
    }

    public ValueTask WaitAsync(long revision, CancellationToken cancellationToken)
    {
        _listener.Start();
        return _changed.WaitAsync(revision, _step, cancellationToken);
    }

    public ValueTask<bool> SaveAsync(IReadOnlyList<StoredKey> keys, CancellationToken cancellationToken) => SaveAsync(
        async (connection, revision) =>
        {
            foreach (var key in keys.Where(static key => key.Revision > 0))
            {
                if (await connection.ExecuteAsync(_updateKey, [.. KeyColumns.Values(key, revision, Types), key.Revision], cancellationToken) == 0)
                {
                    return false;
                }
            }

            foreach (var some in keys.Where(static key => key.Revision == 0).Chunk(Step))
            {
                if (await connection.ExecuteAsync(_insertKeys, ToColumns([.. some.Select(key => KeyColumns.Values(key, revision, Types))]), cancellationToken) < some.Length)
                {
                    return false;
                }
            }

            return true;
        },
        cancellationToken);

    public ValueTask<bool> SaveAsync(StoredGroup group, CancellationToken cancellationToken) => SaveAsync(
        async (connection, revision) => await connection.ExecuteAsync(
            group.Revision == 0 ? _insertGroup : _updateGroup,
            group.Revision == 0 ? KeyColumns.Values(group, revision, Types) : [.. KeyColumns.Values(group, revision, Types), group.Revision],
            cancellationToken) > 0,
        cancellationToken);

    public ValueTask DisposeAsync() => _listener.DisposeAsync();

    private async ValueTask<bool> SaveAsync(Func<NpgsqlConnection, long, Task<bool>> save, CancellationToken cancellationToken)
    {
        var revision = await _database.WriteAsync(connection => TrySaveAsync(connection, save, cancellationToken), cancellationToken);
        if (revision is { } changed)
        {
            _changed.Set(changed);
        }

        return revision is not null;
    }

    private async Task<long?> TrySaveAsync(NpgsqlConnection connection, Func<NpgsqlConnection, long, Task<bool>> save, CancellationToken cancellationToken)
    {
        var channel = await _database.ChannelAsync(connection, cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // Whoever changes something holds this row until it is committed: revisions become visible in their order.
        await using var revise = connection.Command("UPDATE llmproxy_revision SET value = value + 1 RETURNING value");
        var revision = (long)(await revise.ExecuteScalarAsync(cancellationToken))!;
        try
        {
            if (!await save(connection, revision))
            {
                return null;
            }
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return null;
        }

        await connection.ExecuteAsync("SELECT pg_notify($1, $2)", [channel, revision.ToString(CultureInfo.InvariantCulture)], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return revision;
    }

    private static object[] ToColumns(object[][] rows)
    {
        return
        [
            Texts(0), Texts(1), Texts(2), Texts(3), Texts(4), Times(5), Texts(6), Times(7), Times(8), Times(9), Texts(10),
            rows.Select(static row => (long)row[^1]).ToArray(),
        ];

        string?[] Texts(int column) => [.. rows.Select(row => row[column] as string)];

        DateTime?[] Times(int column) => [.. rows.Select(row => row[column] as DateTime?)];
    }

    // The id, first of the columns, says which.
    private static string Update(string table, string[] columns) =>
        $"UPDATE {table} SET {string.Join(", ", columns.Select(static (column, i) => $"{column} = ${i + 1}"))} WHERE {columns[0]} = $1 AND revision = ${columns.Length + 1}";
}
