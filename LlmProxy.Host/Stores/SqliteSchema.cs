using Microsoft.Data.Sqlite;

namespace LlmProxy.Host.Stores;

/// <summary>
/// The tables of a SQLite database, and the way from each version to the next. A version is <c>user_version</c>: the thousands are its
/// major number, which changes when an older program could no longer work with it.
/// </summary>
/// <remarks>
/// During an upgrade two versions of the program work on one database. So within a major number a step only adds: tables, indexes,
/// columns with a default. Or it takes away an index that no statement of an older program reads by.
/// </remarks>
internal static class SqliteSchema
{
    /// <summary>What this program makes.</summary>
    public const int Current = 1002;

    /// <summary>"LLMP": tells our databases from those of other programs.</summary>
    public const int ApplicationId = 0x4C4C4D50;

    private const int Major = 1000;

    private static readonly (int From, int To, string Sql)[] _steps =
    [
        (0, 1001, """
            CREATE TABLE llmproxy_revision(value INTEGER NOT NULL);
            INSERT INTO llmproxy_revision VALUES(0);
            CREATE TABLE llmproxy_keys(
                id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, tail TEXT NOT NULL, former_hash TEXT, former_until INTEGER,
                group_name TEXT, created INTEGER NOT NULL, expires INTEGER, revoked INTEGER, settings TEXT NOT NULL, revision INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE UNIQUE INDEX llmproxy_keys_hash ON llmproxy_keys(hash);
            CREATE UNIQUE INDEX llmproxy_keys_name ON llmproxy_keys(name) WHERE revoked IS NULL;
            CREATE INDEX llmproxy_keys_revision ON llmproxy_keys(revision);
            CREATE TABLE llmproxy_groups(
                name TEXT NOT NULL PRIMARY KEY, settings TEXT NOT NULL, removed INTEGER NOT NULL, revision INTEGER NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE llmproxy_requests(
                id TEXT NOT NULL PRIMARY KEY, client_id TEXT, started INTEGER NOT NULL, duration_us INTEGER, first_event_us INTEGER,
                operation TEXT NOT NULL, key_id TEXT NOT NULL, key_name TEXT NOT NULL, group_name TEXT, end_user TEXT,
                model TEXT NOT NULL, upstream TEXT, upstream_model TEXT, status INTEGER NOT NULL, streamed INTEGER NOT NULL, ended TEXT NOT NULL,
                input_tokens INTEGER, cached_input_tokens INTEGER, cache_write_tokens INTEGER, cache_write_1h_tokens INTEGER,
                output_tokens INTEGER, reasoning_tokens INTEGER, usage_source TEXT NOT NULL, raw_usage TEXT, service_tier TEXT,
                cost INTEGER, operator_cost INTEGER NOT NULL, coalesced_with TEXT, tried TEXT, key_day TEXT NOT NULL, group_day TEXT NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX llmproxy_requests_started ON llmproxy_requests(started, id);
            CREATE INDEX llmproxy_requests_key ON llmproxy_requests(key_id, started);
            CREATE INDEX llmproxy_requests_end_user ON llmproxy_requests(end_user, started) WHERE end_user IS NOT NULL;
            CREATE TABLE llmproxy_spend(
                meter TEXT NOT NULL, period TEXT NOT NULL, cost INTEGER NOT NULL, end_user TEXT, PRIMARY KEY(period, meter)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX llmproxy_spend_end_user ON llmproxy_spend(end_user) WHERE end_user IS NOT NULL;
            """),

        // Whose rows are asked for by id or name, and no index has the names: this one was written for each row and never read. It had no
        // end users in it, so that its pages need not be overwritten, which would take seconds where there are many rows. Somebody may have
        // seen that before.
        (1001, 1002, """
            PRAGMA secure_delete = OFF;
            DROP INDEX IF EXISTS llmproxy_requests_key;
            PRAGMA secure_delete = ON;
            """),
    ];

    /// <summary>The version of a database; 0 for one that is empty.</summary>
    /// <exception cref="RefusedException">It is not ours, or from a newer program than this can work with.</exception>
    public static int Read(SqliteConnection connection, string path)
    {
        // All of it as of one moment: another program may be making its tables.
        using var transaction = connection.BeginTransaction(deferred: true);
        return ReadNow(connection, path);
    }

    /// <summary>Brings a database to a version, by default the newest; one that is newer already is left alone.</summary>
    public static void Migrate(SqliteConnection connection, string path, int target = Current)
    {
        if (Read(connection, path) >= target)
        {
            return;
        }

        // Two programs may start at once: what holds then is looked at again when nobody else can change it.
        using var transaction = connection.BeginTransaction();
        var version = ReadNow(connection, path);
        foreach (var (from, to, sql) in _steps)
        {
            if (version == from && to <= target)
            {
                connection.ExecuteAll(sql);
                version = to;
            }
        }

        connection.ExecuteAll($"PRAGMA application_id = {ApplicationId}; PRAGMA user_version = {version}");
        transaction.Commit();
    }

    public static string Text(int version) => $"{version / Major}.{version % Major}";

    private static int ReadNow(SqliteConnection connection, string path)
    {
        var tables = Number(connection, "SELECT COUNT(*) FROM sqlite_schema");
        var (version, program) = ((int)Number(connection, "PRAGMA user_version"), Number(connection, "PRAGMA application_id"));
        if ((program != ApplicationId && (program != 0 || version != 0)) || (version == 0 && tables > 0))
        {
            throw new RefusedException($"{path} is a database of another program. Nothing was changed in it. Move it away, or name another folder in Store.Path.");
        }

        if (version / Major > Current / Major)
        {
            throw new RefusedException(
                $"{path} was made by a newer version of llmproxy (schema {Text(version)}, this one knows {Text(Current)}). Nothing was changed in it. "
                + "Run that version, or put back the copy from before the upgrade.");
        }

        return version;
    }

    private static long Number(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }
}
