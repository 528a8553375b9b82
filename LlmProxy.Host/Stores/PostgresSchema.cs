using Npgsql;

namespace LlmProxy.Host.Stores;

/// <summary>
/// The tables in PostgreSQL, and the way from each version to the next. The thousands of a version are its major number, which changes
/// when an older program could no longer work with it; several versions of the program work on one database during an upgrade, so
/// within a major number a step only adds, or takes away an index that no statement of an older program reads by.
/// </summary>
/// <remarks>They stand where the connection's search path leads, beside whatever else is there. Text is compared by its bytes, as everywhere here.</remarks>
internal static class PostgresSchema
{
    /// <summary>What this program makes.</summary>
    public const int Current = 1002;

    private const int Major = 1000;

    /// <summary>Any number that no other program uses: "LLMPROXY" in a way.</summary>
    private const long Lock = 0x4C4C4D50_0001;

    private static readonly (int From, int To, string Sql)[] _steps =
    [
        (0, 1001, """
            CREATE TABLE llmproxy_revision(value bigint NOT NULL);
            INSERT INTO llmproxy_revision VALUES(0);
            CREATE TABLE llmproxy_keys(
                id text COLLATE "C" NOT NULL PRIMARY KEY, name text COLLATE "C" NOT NULL, hash text COLLATE "C" NOT NULL, tail text NOT NULL,
                former_hash text, former_until timestamptz, group_name text COLLATE "C", created timestamptz NOT NULL, expires timestamptz,
                revoked timestamptz, settings text NOT NULL, revision bigint NOT NULL);
            CREATE UNIQUE INDEX llmproxy_keys_hash ON llmproxy_keys(hash);
            CREATE UNIQUE INDEX llmproxy_keys_name ON llmproxy_keys(name) WHERE revoked IS NULL;
            CREATE INDEX llmproxy_keys_revision ON llmproxy_keys(revision);
            CREATE TABLE llmproxy_groups(
                name text COLLATE "C" NOT NULL PRIMARY KEY, settings text NOT NULL, removed boolean NOT NULL, revision bigint NOT NULL);
            CREATE TABLE llmproxy_requests(
                id text COLLATE "C" NOT NULL PRIMARY KEY, client_id text, started timestamptz NOT NULL, duration_us bigint, first_event_us bigint,
                operation text NOT NULL, key_id text COLLATE "C" NOT NULL, key_name text COLLATE "C" NOT NULL, group_name text COLLATE "C",
                end_user text COLLATE "C", model text COLLATE "C" NOT NULL, upstream text COLLATE "C", upstream_model text,
                status bigint NOT NULL, streamed boolean NOT NULL, ended text NOT NULL,
                input_tokens bigint, cached_input_tokens bigint, cache_write_tokens bigint, cache_write_1h_tokens bigint,
                output_tokens bigint, reasoning_tokens bigint, usage_source text NOT NULL, raw_usage text, service_tier text,
                cost numeric, operator_cost numeric NOT NULL, coalesced_with text, tried text, key_day text NOT NULL, group_day text NOT NULL);
            CREATE INDEX llmproxy_requests_started ON llmproxy_requests(started, id);
            CREATE INDEX llmproxy_requests_key ON llmproxy_requests(key_id, started);
            CREATE INDEX llmproxy_requests_end_user ON llmproxy_requests(end_user, started) WHERE end_user IS NOT NULL;
            CREATE TABLE llmproxy_spend(
                meter text COLLATE "C" NOT NULL, period text COLLATE "C" NOT NULL, cost numeric NOT NULL, end_user text COLLATE "C", PRIMARY KEY(period, meter));
            CREATE INDEX llmproxy_spend_end_user ON llmproxy_spend(end_user) WHERE end_user IS NOT NULL;
            CREATE TABLE llmproxy_limits(
                meter text COLLATE "C" NOT NULL, period text COLLATE "C" NOT NULL, forgotten numeric NOT NULL, ends timestamptz NOT NULL,
                PRIMARY KEY(meter, period));
            CREATE INDEX llmproxy_limits_ends ON llmproxy_limits(ends);
            CREATE TABLE llmproxy_slices(
                meter text COLLATE "C" NOT NULL, period text COLLATE "C" NOT NULL, replica text COLLATE "C" NOT NULL,
                used numeric NOT NULL, held numeric NOT NULL, expires timestamptz NOT NULL,
                PRIMARY KEY(meter, period, replica));
            CREATE INDEX llmproxy_slices_expires ON llmproxy_slices(expires);
            """),

        // As in SQLite: written for each row and never read. Where a report runs on for longer than this waits, it stays, and does no harm.
        (1001, 1002, """
            SET LOCAL lock_timeout = '2s';
            DO $$ BEGIN DROP INDEX IF EXISTS llmproxy_requests_key; EXCEPTION WHEN lock_not_available THEN NULL; END $$;
            """),
    ];

    /// <summary>Brings a database to a version, by default the newest; one that is newer already is left alone.</summary>
    /// <exception cref="RefusedException">It is from a newer program than this can work with.</exception>
    public static async Task MigrateAsync(NpgsqlDataSource source, CancellationToken cancellationToken, int target = Current)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        if (await ReadAsync(connection, cancellationToken) >= target)
        {
            return;
        }

        // Replicas start at once: one of them makes the tables, the others wait and find them.
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(connection, $"SELECT pg_advisory_xact_lock({Lock})", cancellationToken);
        var version = await ReadAsync(connection, cancellationToken);
        if (version == 0)
        {
            await ExecuteAsync(connection, "CREATE TABLE llmproxy_schema(version integer NOT NULL); INSERT INTO llmproxy_schema VALUES(0)", cancellationToken);
        }

        foreach (var (from, to, sql) in _steps)
        {
            if (version == from && to <= target)
            {
                await ExecuteAsync(connection, sql, cancellationToken);
                version = to;
            }
        }

        await ExecuteAsync(connection, $"UPDATE llmproxy_schema SET version = {version}", cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>The version of the tables that the connection's search path leads to; 0: there are none.</summary>
    /// <exception cref="RefusedException">They are from a newer program than this can work with.</exception>
    public static async Task<int> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // Read as rows are: what a server remembers of names may be from before another replica made the tables.
        await using var exists = new NpgsqlCommand(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_tables WHERE tablename = 'llmproxy_schema' AND schemaname = ANY(current_schemas(false)))", connection);
        if (await exists.ExecuteScalarAsync(cancellationToken) is not true)
        {
            return 0;
        }

        await using var read = new NpgsqlCommand("SELECT version FROM llmproxy_schema", connection);
        var version = (int)(await read.ExecuteScalarAsync(cancellationToken))!;
        return version / Major <= Current / Major
            ? version
            : throw new RefusedException($"The PostgreSQL database was made by a newer version of llmproxy (schema {SqliteSchema.Text(version)}, this one knows "
                + $"{SqliteSchema.Text(Current)}). Nothing was changed in it. Run that version, or put back the copy from before the upgrade.");
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
