using LlmProxy.Core.Authentication;
using LlmProxy.Host.Stores;
using LlmProxy.Tests.Support;
using Microsoft.Data.Sqlite;
using Npgsql;
using NUnit.Framework;

namespace LlmProxy.Tests.Stores;

/// <summary>Stores that answer and take nothing, and reports that nobody waits for.</summary>
internal sealed class StoreTroubleTests
{
    private const string Endless = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT COUNT(*) FROM numbers WHERE begun() = 1";

    private readonly SqliteFolder _folder = new();

    private static CancellationToken None => CancellationToken.None;

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public async Task P10_A_PostgreSQL_that_answers_and_takes_nothing_is_in_trouble_until_it_takes_something()
    {
        var server = await PostgresServer.SharedAsync();
        var connection = await server.CreateDatabaseAsync();
        var (health, told) = (new StoreHealth(TimeProvider.System), new List<StoreTrouble?>());
        health.Changed = told.Add;
        await using var database = new PostgresDatabase(connection, health);
        await database.PrepareAsync(None);
        await SetReadOnlyAsync(server, connection, "on");
        await using var keys = new PostgresKeyStore(database, TimeProvider.System);
        Assert.That(async () => await new PostgresLedgerStore(database).WriteAsync([LedgerRows.Row("a")], None), Throws.InstanceOf<PostgresException>());
        Assert.That(async () => await keys.SaveAsync([Key], None), Throws.InstanceOf<PostgresException>());
        await keys.ReadAsync(0, None);
        Assert.That(health.Trouble?.Problem, Does.Contain("25006").And.Contain("read-only"), "reading is no sign that it takes something");
        Assert.That(async () => await database.ProbeAsync(None), Throws.InstanceOf<PostgresException>());
        await SetReadOnlyAsync(server, connection, "off");
        await database.ProbeAsync(None);
        Assert.That(health.Trouble, Is.Null);
        Assert.That(told.Select(static trouble => trouble is null), Is.EqualTo((bool[])[false, true]), "said once when it begins and once when it is over");
        Assert.That(await keys.SaveAsync([Key], None), Is.True, "on the connections that there were as well");
    }

    [Test]
    public async Task P13_A_SQLite_file_that_is_read_and_takes_nothing_is_in_trouble_until_it_takes_something()
    {
        var health = new StoreHealth(TimeProvider.System);
        using var keys = new SqliteKeyStore(_folder.File, TimeProvider.System, health);
        var ledger = _folder.Ledger(health);
        await ledger.ProbeAsync(None);
        Execute("CREATE TRIGGER full BEFORE UPDATE ON llmproxy_revision BEGIN SELECT RAISE(ABORT, 'no room'); END");
        Assert.That(async () => await keys.SaveAsync([Key], None), Throws.InstanceOf<SqliteException>());
        await keys.ReadAsync(0, None);
        Assert.That(health.Trouble?.Problem, Does.Contain("no room"), "reading is no sign of room");
        Execute("DROP TRIGGER full");
        await ledger.ProbeAsync(None);
        Assert.That(health.Trouble, Is.Null);
    }

    [Test]
    public async Task A_report_that_nobody_waits_for_holds_up_neither_the_next_nor_the_end()
    {
        SqliteDatabase.Prepare(_folder.File);
        var health = new StoreHealth(TimeProvider.System);
        var database = new SqliteDatabase(_folder.File, "sqlite test", health);
        using (var end = new CancellationTokenSource())
        {
            var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var report = database.ReadAsync(connection => Report(connection, begun), end.Token);
            await Deadline.In(begun.Task);
            await end.CancelAsync();
            Assert.That(async () => await report, Throws.InstanceOf<OperationCanceledException>());
        }

        Assert.That(await Deadline.In(database.ReadAsync(static connection => Number(connection, "SELECT 7"), None)), Is.EqualTo(7));
        var lastBegun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var last = database.ReadAsync(connection => Report(connection, lastBegun), None);
        var queued = database.ReadAsync(static connection => Number(connection, Endless), None);
        var written = database.WriteAsync(static connection => Number(connection, "UPDATE llmproxy_revision SET value = 5 RETURNING value"), None);
        await Deadline.In(lastBegun.Task);
        await Deadline.In(Task.Run(database.Dispose));
        Assert.That(async () => await last, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(async () => await queued, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(await written, Is.EqualTo(5), "what was to be written is written");
        Assert.That((health.Trouble, health.Failures), Is.EqualTo(((StoreTrouble?)null, 0L)));
    }

    [Test]
    public async Task Two_schemas_of_one_database_tell_each_other_nothing()
    {
        var server = await PostgresServer.SharedAsync();
        var connection = await server.CreateDatabaseAsync();
        await PostgresServer.ExecuteAsync(connection, "CREATE SCHEMA a; CREATE SCHEMA b");
        await using var first = Open("a");
        await using var second = Open("b");
        var told = new List<string>();
        await using var listener = new PostgresListener(first, told.Add, TimeProvider.System);
        await using PostgresKeyStore ours = new(first, TimeProvider.System), theirs = new(second, TimeProvider.System);
        await first.PrepareAsync(None);
        listener.Start();
        await Deadline.Until(() => ListensAsync(connection).Result == 1);
        await second.PrepareAsync(None);
        Assert.That(await theirs.SaveAsync([Key], None), Is.True);
        Assert.That(await theirs.SaveAsync([Key with { Id = "b", Name = "b", Hash = "b" }], None), Is.True);
        Assert.That(await ours.SaveAsync([Key], None), Is.True);
        await Deadline.Until(() => told.Count > 0);
        Assert.That(told, Is.EqualTo((string[])["1"]), "its own first change, and none of the other's, which came before");

        PostgresDatabase Open(string schema) => new(new NpgsqlConnectionStringBuilder(connection) { SearchPath = schema }.ToString());
    }

    private static StoredKey Key { get; } = new() { Id = "a", Name = "a", Hash = "a", Created = LedgerRows.Noon };

    private static Task SetReadOnlyAsync(PostgresServer server, string connection, string value)
    {
        var name = new NpgsqlConnectionStringBuilder(connection).Database;
        // Those that are open are ended: what a takeover by another server does to them.
        return PostgresServer.ExecuteAsync(server.ConnectionString(), $"""
            ALTER DATABASE "{name}" SET default_transaction_read_only = {value};
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid() AND {(value == "on" ? "true" : "false")}
            """);
    }

    private static async Task<long> ListensAsync(string connection)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connection) { Pooling = false });
        await using var command = source.CreateCommand("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%' AND state = 'idle'");
        return (long)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Has no end, and says when it runs.</summary>
    private static long Report(SqliteConnection connection, TaskCompletionSource begun)
    {
        connection.CreateFunction("begun", () =>
        {
            begun.TrySetResult();
            return 1L;
        });
        return Number(connection, Endless);
    }

    private static long Number(SqliteConnection connection, string sql)
    {
        using var command = connection.Command(sql);
        command.CommandTimeout = 0;
        return (long)command.ExecuteScalar()!;
    }

    private void Execute(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={_folder.File};Pooling=False");
        connection.Open();
        connection.Execute(sql);
    }
}
