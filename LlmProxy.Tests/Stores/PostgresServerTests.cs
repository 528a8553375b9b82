using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Host;
using LlmProxy.Host.Stores;
using LlmProxy.Tests.Support;
using Npgsql;
using NUnit.Framework;

namespace LlmProxy.Tests.Stores;

/// <summary>A PostgreSQL server that is not there, refuses, or goes and comes back.</summary>
internal sealed class PostgresServerTests
{
    private static CancellationToken None => CancellationToken.None;

    [Test]
    public async Task P09_A_server_that_goes_and_comes_back_loses_no_row_and_needs_no_restart()
    {
        await using var server = await PostgresServer.StartNewAsync();
        await using var database = new PostgresDatabase(await server.CreateDatabaseAsync(), new StoreHealth(TimeProvider.System));
        var (ledger, keys, limits) = (new PostgresLedgerStore(database), new PostgresKeyStore(database, TimeProvider.System), new PostgresLimitStore(database));
        await using var closing = keys;
        using var end = new CancellationTokenSource();
        var failures = 0;
        // As the journal's writer does: offered until it is taken.
        var writing = Task.Run(async () =>
        {
            var written = 0;
            while (!end.IsCancellationRequested)
            {
                var rows = Enumerable.Range(0, 20).Select(i => LedgerRows.Row($"{written + i:D8}", 0.01m)).ToArray();
                try
                {
                    await ledger.WriteAsync(rows, None);
                    written += rows.Length;
                }
                catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException)
                {
                    failures++;
                    await Task.Delay(20);
                }
            }

            return written;
        });
        await keys.WaitAsync(0, None);
        for (var round = 0; round < 2; round++)
        {
            var before = failures;
            await Task.Delay(200);
            await server.StopAsync();
            await Deadline.Until(() => failures > before + 2);
            Assert.That(async () => await keys.ReadAsync(0, None), Throws.InstanceOf<NpgsqlException>());
            await server.StartAsync();
        }

        await end.CancelAsync();
        var all = await Deadline.In(writing);
        var total = (await ledger.SumAsync(new UsageQuery(), None)).Single();
        Assert.That((total.Requests, total.Cost), Is.EqualTo((all, all * 0.01m)));
        Assert.That((await ledger.ReadSpendAsync(["total"], None)).Select(static spend => spend.Cost), Is.All.EqualTo(all * 0.01m));
        Assert.That(await keys.SaveAsync([new StoredKey { Id = "a", Name = "a", Hash = "a", Created = LedgerRows.Noon }], None), Is.True);
        Assert.That((await limits.ExchangeAsync("r", [new("m", "total", 5, 0, 9, TimeSpan.FromMinutes(1), null)], None)).Single().Held, Is.EqualTo(5));
    }

    [Test]
    public async Task P09_A_server_that_is_away_at_the_start_is_found_when_it_comes()
    {
        await using var server = await PostgresServer.StartNewAsync();
        var connection = await server.CreateDatabaseAsync();
        await server.StopAsync();
        var health = new StoreHealth(TimeProvider.System);
        await using var database = new PostgresDatabase(connection, health);
        Assert.That(await database.TryPrepareAsync(None), Does.StartWith("PostgreSQL cannot be reached now"));
        var ledger = new PostgresLedgerStore(database);
        Assert.That(async () => await ledger.WriteAsync([LedgerRows.Row("a")], None), Throws.InstanceOf<NpgsqlException>());
        Assert.That(health.Trouble!.Problem, Is.EqualTo("PostgreSQL cannot be reached."));
        await server.StartAsync();
        await ledger.WriteAsync([LedgerRows.Row("a")], None);
        Assert.That(health.Trouble, Is.Null);
        Assert.That((await ledger.SumAsync(new UsageQuery(), None)).Single().Requests, Is.EqualTo(1));
    }

    [Test]
    public async Task Reports_that_take_long_leave_connections_for_limits_and_keys()
    {
        var server = await PostgresServer.SharedAsync();
        var connection = await server.CreateDatabaseAsync();
        await using var database = new PostgresDatabase(connection);
        var (ledger, limits) = (new PostgresLedgerStore(database), new PostgresLimitStore(database));
        await database.PrepareAsync(None);
        await using var source = NpgsqlDataSource.Create(connection);
        await using var holding = await source.OpenConnectionAsync();
        await using var transaction = await holding.BeginTransactionAsync();
        await using (var block = new NpgsqlCommand("LOCK TABLE llmproxy_requests IN ACCESS EXCLUSIVE MODE", holding))
        {
            await block.ExecuteNonQueryAsync();
        }

        var reports = Enumerable.Range(0, 10).Select(_ => ledger.SumAsync(new UsageQuery(), None).AsTask()).ToArray();
        var granted = await Deadline.In(limits.ExchangeAsync("r", [new("m", "total", 5, 0, 9, TimeSpan.FromMinutes(1), null)], None).AsTask());
        Assert.That((granted.Single().Held, reports.Any(static report => report.IsCompleted)), Is.EqualTo((5m, false)));
        await transaction.RollbackAsync();
        await Deadline.In(Task.WhenAll(reports));
    }

    [Test]
    public async Task A_store_that_was_put_back_is_not_looked_at_without_a_pause()
    {
        var signal = new ChangeSignal(TimeProvider.System);
        signal.Set(100);
        await signal.WaitAsync(99, TimeSpan.FromMinutes(1), None);
        var waiting = signal.WaitAsync(99, TimeSpan.FromMinutes(1), None).AsTask();
        Assert.That(waiting.IsCompleted, Is.False, "it was told of that one");
        signal.Set(98);
        await Deadline.In(waiting);
    }

    [Test]
    public void A_pool_without_room_for_all_that_there_is_to_do_is_refused() => Assert.That(
        static () => new PostgresDatabase("Host=h;Username=u;Password=5ecret;Database=d;Maximum Pool Size=1"),
        Throws.InstanceOf<RefusedException>().With.Message.StartsWith("Store.ConnectionString: Maximum Pool Size is 1, and at least 5 are needed."));

    [Test]
    public async Task What_a_server_refuses_for_good_is_a_refusal_that_tells_no_secret()
    {
        var server = await PostgresServer.SharedAsync();
        Assert.That(await RefusalAsync(server.ConnectionString(password: "wr0ng-5ecret")), Is.EqualTo("The store refuses: PostgreSQL 28P01, password authentication failed for user \"postgres\"."));
        Assert.That(await RefusalAsync(server.ConnectionString("nowhere")), Is.EqualTo("The store refuses: PostgreSQL 3D000, database \"nowhere\" does not exist."));
        var refused = Assert.Throws<RefusedException>(() => _ = new PostgresDatabase("postgres://u:5ecret@host/db"))!;
        Assert.That(refused.Message, Is.EqualTo("Store.ConnectionString is none for PostgreSQL. Write \"Host=…;Username=…;Password=…;Database=…\"."));
    }

    [Test]
    public async Task P12_A_database_of_a_newer_program_is_refused_and_left_as_it_is()
    {
        var connection = await (await PostgresServer.SharedAsync()).CreateDatabaseAsync();
        await PostgresServer.ExecuteAsync(connection, "CREATE TABLE llmproxy_schema(version integer NOT NULL); INSERT INTO llmproxy_schema VALUES(2000)");
        Assert.That(await RefusalAsync(connection), Does.StartWith("The PostgreSQL database was made by a newer version of llmproxy (schema 2.0, this one knows 1.2). Nothing was changed in it."));
    }

    [TestCase(false, false)]
    [TestCase(true, false)]
    [TestCase(false, true)]
    public async Task P12_A_database_of_before_is_brought_forward_even_while_a_report_runs(bool isRead, bool isIndexGone)
    {
        var connection = await (await PostgresServer.SharedAsync()).CreateDatabaseAsync();
        await using var source = NpgsqlDataSource.Create(connection);
        await PostgresSchema.MigrateAsync(source, None, target: 1001);
        if (isIndexGone)
        {
            await PostgresServer.ExecuteAsync(connection, "DROP INDEX llmproxy_requests_key");
        }

        await using var report = await source.OpenConnectionAsync();
        await using var transaction = await report.BeginTransactionAsync();
        Assert.That(await NumberAsync("SELECT COUNT(*) FROM pg_indexes WHERE indexname = 'llmproxy_requests_key'"), Is.EqualTo(isIndexGone ? 0 : 1));
        if (isRead)
        {
            await NumberAsync("SELECT COUNT(*) FROM llmproxy_requests");
        }

        await Deadline.In(PostgresSchema.MigrateAsync(source, None));
        Assert.That(await PostgresSchema.ReadAsync(report, None), Is.EqualTo(PostgresSchema.Current));
        Assert.That(await NumberAsync("SELECT COUNT(*) FROM pg_indexes WHERE indexname = 'llmproxy_requests_key'"), Is.EqualTo(isRead ? 1 : 0));

        async Task<long> NumberAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, report);
            return (long)(await command.ExecuteScalarAsync())!;
        }
    }

    [Test]
    public async Task P12_A_newer_version_that_only_adds_is_read_and_written_by_this_one()
    {
        var connection = await (await PostgresServer.SharedAsync()).CreateDatabaseAsync();
        await using var database = new PostgresDatabase(connection);
        await database.PrepareAsync(None);
        await PostgresServer.ExecuteAsync(connection, "ALTER TABLE llmproxy_requests ADD COLUMN later text DEFAULT 'x'; UPDATE llmproxy_schema SET version = 1099");
        await using var older = new PostgresDatabase(connection);
        var ledger = new PostgresLedgerStore(older);
        await ledger.WriteAsync([LedgerRows.Row("a")], None);
        Assert.That((await ledger.SumAsync(new UsageQuery(), None)).Single().Requests, Is.EqualTo(1));
    }

    [Test]
    public async Task Replicas_that_start_at_once_make_the_tables_once()
    {
        var connection = await (await PostgresServer.SharedAsync()).CreateDatabaseAsync();
        var replicas = Enumerable.Range(0, 8).Select(_ => new PostgresDatabase(connection)).ToArray();
        await Task.WhenAll(replicas.Select(static one => Task.Run(() => one.PrepareAsync(None))));
        foreach (var one in replicas)
        {
            await one.DisposeAsync();
        }
    }

    private static async Task<string> RefusalAsync(string connection)
    {
        await using var database = new PostgresDatabase(connection);
        return Assert.ThrowsAsync<RefusedException>(async () => await database.TryPrepareAsync(None))!.Message;
    }
}
