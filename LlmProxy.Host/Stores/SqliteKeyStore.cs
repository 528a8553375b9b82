using LlmProxy.Core.Authentication;
using Microsoft.Data.Sqlite;

namespace LlmProxy.Host.Stores;

/// <summary>Keys and groups in SQLite. Changes of this process are seen at once, those of another that has the same file within half a second.</summary>
internal sealed class SqliteKeyStore(string path, TimeProvider time, StoreHealth? health = null) : IKeyStore, IDisposable
{
    private static readonly TimeSpan _step = TimeSpan.FromMilliseconds(500);

    private static readonly string _insertKey = $"INSERT INTO llmproxy_keys({KeyColumns.List}) VALUES({SqliteText.Places(KeyColumns.Names.Length)}) ON CONFLICT DO NOTHING";
    private static readonly string _insertGroup = $"INSERT INTO llmproxy_groups({KeyColumns.GroupList}) VALUES({SqliteText.Places(KeyColumns.GroupNames.Length)}) ON CONFLICT DO NOTHING";
    private static readonly string _updateKey = Update("llmproxy_keys", KeyColumns.Names);
    private static readonly string _updateGroup = Update("llmproxy_groups", KeyColumns.GroupNames);

    private readonly SqliteDatabase _database = new(path, "sqlite keys", health);
    private readonly ChangeSignal _changed = new(time);

    public async ValueTask<KeyStoreChanges> ReadAsync(long afterRevision, CancellationToken cancellationToken) =>
        await _database.ReadAsync(connection => Read(connection, afterRevision), cancellationToken);

    public ValueTask WaitAsync(long revision, CancellationToken cancellationToken) => _changed.WaitAsync(revision, _step, cancellationToken);

    public ValueTask<bool> SaveAsync(IReadOnlyList<StoredKey> keys, CancellationToken cancellationToken) => SaveAsync(
        (connection, revision) =>
        {
            // One statement for all that are new: there may be a hundred thousand.
            using var insert = new SqliteInsert(connection, _insertKey);
            return keys.All(key => KeyColumns.Values(key, revision, SqliteTypes.Instance) is var values
                && (key.Revision == 0 ? insert.Execute(values) > 0 : connection.Execute(_updateKey, [.. values, key.Revision]) > 0));
        },
        cancellationToken);

    public ValueTask<bool> SaveAsync(StoredGroup group, CancellationToken cancellationToken) => SaveAsync(
        (connection, revision) => Save(connection, _insertGroup, _updateGroup, group.Revision, KeyColumns.Values(group, revision, SqliteTypes.Instance)),
        cancellationToken);

    public void Dispose() => _database.Dispose();

    private async ValueTask<bool> SaveAsync(Func<SqliteConnection, long, bool> save, CancellationToken cancellationToken)
    {
        var revision = await _database.WriteAsync(
            connection =>
            {
                using var transaction = connection.BeginTransaction();
                using var revise = connection.Command("UPDATE llmproxy_revision SET value = value + 1 RETURNING value");
                var next = (long)revise.ExecuteScalar()!;
                if (!save(connection, next))
                {
                    return (long?)null;
                }

                transaction.Commit();

                // It is no other connection's, and so not seen as a change.
                _database.Kept(static connection => new SqliteLook(connection)).SeenVersion = null;
                return next;
            },
            cancellationToken);
        if (revision is { } changed)
        {
            _changed.Set(changed);
        }

        return revision is not null;
    }

    private static bool Save(SqliteConnection connection, string insert, string update, long former, object[] values) =>
        connection.Execute(former == 0 ? insert : update, former == 0 ? values : [.. values, former]) > 0;

    private KeyStoreChanges Read(SqliteConnection connection, long after)
    {
        // Before the look: what is written meanwhile is seen with the next.
        var look = _database.Kept(static connection => new SqliteLook(connection));
        var version = look.Version();
        if (look.SeenVersion == version && look.SeenRevision == after)
        {
            return new KeyStoreChanges(after, [], []);
        }

        var changes = ReadAll(connection, after);
        (look.SeenVersion, look.SeenRevision) = (version, changes.Revision);
        return changes;
    }

    private static KeyStoreChanges ReadAll(SqliteConnection connection, long after)
    {
        // All of it as of one moment.
        using var transaction = connection.BeginTransaction(deferred: true);
        using var current = connection.Command("SELECT value FROM llmproxy_revision");
        var revision = (long)current.ExecuteScalar()!;
        // An older database was put in its place: everything may be different.
        after = revision < after ? 0 : after;
        var (keys, groups) = (new List<StoredKey>(), new List<StoredGroup>());
        using (var select = connection.Command($"SELECT {KeyColumns.List} FROM llmproxy_keys WHERE revision > $0 ORDER BY revision", after))
        using (var rows = select.ExecuteReader())
        {
            while (rows.Read())
            {
                keys.Add(KeyColumns.ReadKey(rows, SqliteTypes.Instance));
            }
        }

        using (var select = connection.Command($"SELECT {KeyColumns.GroupList} FROM llmproxy_groups WHERE revision > $0 ORDER BY revision", after))
        using (var rows = select.ExecuteReader())
        {
            while (rows.Read())
            {
                groups.Add(KeyColumns.ReadGroup(rows, SqliteTypes.Instance));
            }
        }

        return new KeyStoreChanges(revision, keys, groups);
    }

    // OR IGNORE: a name or hash that another has is no failure, but an answer. The id, first of the columns, says which.
    private static string Update(string table, string[] columns) =>
        $"UPDATE OR IGNORE {table} SET {string.Join(", ", columns.Select(static (column, i) => $"{column} = ${i}"))} WHERE {columns[0]} = $0 AND revision = ${columns.Length}";
}
