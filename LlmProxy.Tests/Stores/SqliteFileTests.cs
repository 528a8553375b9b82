using LlmProxy.Core.Accounting;
using LlmProxy.Host;
using LlmProxy.Host.Stores;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Stores;

/// <summary>The file of the database in every state in which it may be met.</summary>
internal sealed class SqliteFileTests
{
    private readonly SqliteFolder _folder = new();

    private static CancellationToken None => CancellationToken.None;

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public async Task P12_An_overwritten_beginning_is_refused_and_the_file_left_as_it_is()
    {
        await File.WriteAllTextAsync(_folder.File, new string('x', 8192));
        Assert.That(Refusal(), Does.StartWith($"{_folder.File} is no SQLite database, or its beginning was overwritten (error 26). It was left as it is."));
        Assert.That(await File.ReadAllTextAsync(_folder.File), Is.EqualTo(new string('x', 8192)));
        Assert.That(Directory.GetFiles(_folder.Path), Has.Length.EqualTo(1), "nothing beside it either");
    }

    [Test]
    public void P12_A_database_of_a_newer_program_is_refused_and_left_as_it_is()
    {
        SqliteDatabase.Prepare(_folder.File);
        Execute("PRAGMA user_version = 2000; PRAGMA journal_mode = DELETE");
        var before = File.ReadAllBytes(_folder.File);
        Assert.That(Refusal(), Does.StartWith($"{_folder.File} was made by a newer version of llmproxy (schema 2.0, this one knows {SqliteSchema.Text(SqliteSchema.Current)}). Nothing was changed in it."));
        Assert.That(File.ReadAllBytes(_folder.File), Is.EqualTo(before));
    }

    [Test]
    public void P12_A_database_of_another_program_is_refused_and_left_as_it_is()
    {
        Execute("CREATE TABLE orders(id INTEGER)");
        Assert.That(Refusal(), Does.StartWith($"{_folder.File} is a database of another program."));
        Execute("PRAGMA application_id = 7; PRAGMA user_version = 1001");
        Assert.That(Refusal(), Does.StartWith($"{_folder.File} is a database of another program."));
    }

    [Test]
    public async Task A_row_that_is_refused_is_no_trouble_of_the_store()
    {
        SqliteDatabase.Prepare(_folder.File);
        Execute("ALTER TABLE llmproxy_requests ADD COLUMN poison TEXT CHECK (model <> 'poison')");
        var health = new StoreHealth(TimeProvider.System);
        var ledger = _folder.Ledger(health);
        Assert.ThrowsAsync<LedgerRowRefusedException>(async () => await ledger.WriteAsync([LedgerRows.Row("a") with { Model = "poison" }], None));
        Assert.That((health.Trouble, health.Failures), Is.EqualTo(((StoreTrouble?)null, 0L)));
    }

    [Test]
    public async Task P12_A_newer_version_that_only_adds_is_read_and_written_by_this_one()
    {
        SqliteDatabase.Prepare(_folder.File);
        Execute("ALTER TABLE llmproxy_requests ADD COLUMN later TEXT DEFAULT 'x'; CREATE TABLE llmproxy_later(id INTEGER); PRAGMA user_version = 1099");
        var ledger = _folder.Ledger();
        await ledger.WriteAsync([LedgerRows.Row("a")], None);
        Assert.That((await ledger.SumAsync(new UsageQuery(), None)).Single().Requests, Is.EqualTo(1));
        _folder.Close();
        Assert.That(Number("PRAGMA user_version"), Is.EqualTo(1099), "it stays the newer one's");
    }

    [Test]
    public void Each_version_is_brought_to_the_next_and_two_programs_may_do_so_at_once()
    {
        Parallel.For(0, 8, _ => SqliteDatabase.Prepare(_folder.File));
        Assert.That(Number("PRAGMA user_version"), Is.EqualTo(SqliteSchema.Current));
        Assert.That(Number("PRAGMA application_id"), Is.EqualTo(SqliteSchema.ApplicationId));
        Assert.That(Number("SELECT COUNT(*) FROM llmproxy_revision"), Is.EqualTo(1));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task P12_A_database_of_before_is_brought_forward_while_its_program_still_writes(bool isIndexGone)
    {
        using (var before = new SqliteConnection($"Data Source={_folder.File};Pooling=False"))
        {
            before.Open();
            SqliteSchema.Migrate(before, _folder.File, target: 1001);
            Assert.That(Number("PRAGMA user_version"), Is.EqualTo(1001));
            if (isIndexGone)
            {
                before.Execute("DROP INDEX llmproxy_requests_key");
            }

            Write(before, "a");
            var ledger = _folder.Ledger();
            await ledger.WriteAsync([LedgerRows.Row("b", 0.5m)], None);
            Write(before, "c");
            Assert.That(Number("PRAGMA user_version"), Is.EqualTo(SqliteSchema.Current));
            Assert.That(await ledger.CheckAsync(thoroughly: true, None), Is.Empty);
            Assert.That((await ledger.SumAsync(new UsageQuery { Keys = ["key_1"], Since = LedgerRows.Noon }, None)).Single().Requests, Is.EqualTo(3));
        }

        // All that are there but those that keep rows and windows apart are there to be read by: an index that nothing reads is work for each row.
        Assert.That(Number("SELECT COUNT(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'llmproxy_requests' AND sql IS NOT NULL"), Is.EqualTo(2));

        static void Write(SqliteConnection connection, string id)
        {
            using var insert = connection.Command(
                "INSERT INTO llmproxy_requests(id, started, operation, key_id, key_name, model, status, streamed, ended, usage_source, operator_cost, key_day, group_day) "
                + "VALUES($0, $1, 'chat', 'key_1', 'key_1', 'm', 200, 0, 'ok', 'none', 0, '2026-11-25', '2026-11-25') ON CONFLICT(id) DO NOTHING",
                id,
                SqliteTypes.Microseconds(LedgerRows.Noon));
            Assert.That(insert.ExecuteNonQuery(), Is.EqualTo(1));
        }
    }

    [Test]
    public async Task P12_A_damaged_page_is_told_and_the_rest_goes_on()
    {
        var (health, told) = (new StoreHealth(new FakeTimeProvider()), new List<StoreTrouble?>());
        health.Changed = told.Add;
        var ledger = _folder.Ledger(health);
        await ledger.WriteAsync([.. Enumerable.Range(0, 3000).Select(static i => LedgerRows.Row($"{i:D5}"))], None);
        _folder.Close();
        // Every page but the first few, in which the schema is.
        using (var file = new FileStream(_folder.File, FileMode.Open, FileAccess.ReadWrite))
        {
            for (var page = 40; page < file.Length / 4096; page++)
            {
                file.Position = page * 4096L;
                file.Write(new byte[200]);
            }
        }

        SqliteDatabase.Prepare(_folder.File);
        ledger = _folder.Ledger(health);
        var found = await ledger.CheckAsync(thoroughly: false, None);
        Assert.That(found, Is.Not.Empty);
        health.Damaged(found);
        Assert.That(async () => await ledger.SumAsync(new UsageQuery { By = [UsageKey.Key] }, None), Throws.InstanceOf<SqliteException>());
        health.Read();
        Assert.That(health.Trouble!.Problem, Is.Not.Empty, "what is damaged stays so");
        Assert.That(told, Has.Count.EqualTo(1), "said once");
        Assert.That(health.Failures, Is.EqualTo(1));
    }

    [Test]
    public async Task A_whole_file_is_found_whole_by_both_checks()
    {
        var ledger = _folder.Ledger();
        await ledger.WriteAsync([LedgerRows.Row("a")], None);
        Assert.That(await ledger.CheckAsync(thoroughly: false, None), Is.Empty);
        Assert.That(await ledger.CheckAsync(thoroughly: true, None), Is.Empty);
    }

    [Test]
    public async Task P11_A_locked_database_holds_up_writing_alone_and_is_written_to_when_it_is_free()
    {
        var (health, time) = (new StoreHealth(TimeProvider.System), TimeProvider.System);
        var ledger = _folder.Ledger(health);
        await ledger.WriteAsync([LedgerRows.Row("a")], None);
        await using var other = new SqliteConnection($"Data Source={_folder.File};Pooling=False");
        await other.OpenAsync();
        var transaction = other.BeginTransaction();
        var began = time.GetTimestamp();
        var writing = ledger.WriteAsync([LedgerRows.Row("b")], None).AsTask();
        Assert.That((await ledger.SumAsync(new UsageQuery(), None)).Single().Requests, Is.EqualTo(1), "reports go on");
        Assert.That(time.GetElapsedTime(began), Is.LessThan(TimeSpan.FromSeconds(4)));
        Assert.That(async () => await writing, Throws.InstanceOf<SqliteException>(), "so that the writer can say so, and try again");
        Assert.That(health.Failures, Is.EqualTo(1));
        await transaction.RollbackAsync();
        await ledger.WriteAsync([LedgerRows.Row("b")], None);
        Assert.That(health.Trouble, Is.Null);
        Assert.That((await ledger.SumAsync(new UsageQuery(), None)).Single().Requests, Is.EqualTo(2));
    }

    [Test]
    public async Task A_backup_is_a_whole_database_of_one_moment_and_overwrites_nothing()
    {
        var ledger = _folder.Ledger();
        await ledger.WriteAsync([LedgerRows.Row("a"), LedgerRows.Row("b")], None);
        var copy = Path.Combine(_folder.Path, "copy's.db");
        await ledger.BackUpAsync(copy, None);
        using (var store = new SqliteLedgerStore(copy))
        {
            Assert.That((await store.SumAsync(new UsageQuery(), None)).Single().Cost, Is.EqualTo(0.5m));
        }

        Assert.That(async () => await ledger.BackUpAsync(copy, None), Throws.InstanceOf<SqliteException>());
    }

    [Test]
    public async Task P23_Two_instances_on_one_database_lose_nothing()
    {
        SqliteLedgerStore[] instances = [_folder.Ledger(), _folder.Ledger()];
        await Task.WhenAll(instances.Select((ledger, n) => Task.Run(async () =>
        {
            for (var i = 0; i < 100; i++)
            {
                await ledger.WriteAsync([LedgerRows.Row($"{n}-{i}", 0.01m)], None);
            }
        })));
        Assert.That((await instances[0].ReadSpendAsync(["total"], None)).Select(static spend => spend.Cost), Is.All.EqualTo(2m));
        Assert.That((await instances[1].SumAsync(new UsageQuery(), None)).Single().Requests, Is.EqualTo(200));
    }

    [Test]
    public void P23_An_instance_knows_whether_one_before_it_did_not_end_in_order_however_many_run()
    {
        using (var first = RunMark.Set(_folder.Path))
        using (var second = RunMark.Set(_folder.Path))
        {
            Assert.That((first.IsAfterCrash, second.IsAfterCrash), Is.EqualTo((false, false)));
        }

        using (var next = RunMark.Set(_folder.Path))
        {
            Assert.That(next.IsAfterCrash, Is.False, "both ended in order");
        }

        // The second of two was killed.
        File.WriteAllText(Path.Combine(_folder.Path, "running-2"), "running\n");
        using var after = RunMark.Set(_folder.Path);
        using var beside = RunMark.Set(_folder.Path);
        Assert.That((after.IsAfterCrash, beside.IsAfterCrash), Is.EqualTo((true, false)), "said once");
    }

    [Test]
    public void P23_So_many_instances_on_one_directory_that_something_is_wrong_are_refused()
    {
        RunMark[] all = [.. Enumerable.Range(0, 16).Select(_ => RunMark.Set(_folder.Path))];
        Assert.That(() => RunMark.Set(_folder.Path), Throws.TypeOf<RefusedException>().With.Message.StartsWith("16 instances have "));
        all.ToList().ForEach(static one => one.Dispose());
    }

    [Test]
    [Platform(Exclude = "Win")]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void S05_Nobody_else_can_look_into_the_folder()
    {
        DataFolder.Make(Path.Combine(_folder.Path, "a", "b"));
        Assert.That(File.GetUnixFileMode(Path.Combine(_folder.Path, "a", "b")), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
        Assert.That(Directory.GetFiles(Path.Combine(_folder.Path, "a", "b")), Is.Empty);
    }

    [TestCase("LLMPROXY_DATA=/d STATE_DIRECTORY=/s HOME=/h", "/d")]
    [TestCase("STATE_DIRECTORY=/s:/t XDG_STATE_HOME=/x HOME=/h", "/s")]
    [TestCase("XDG_STATE_HOME=/x HOME=/h", "/x/llmproxy")]
    [TestCase("XDG_STATE_HOME=relative HOME=/h", "/h/.local/state/llmproxy")]
    [TestCase("LLMPROXY_DATA= HOME=/h", "/h/.local/state/llmproxy")]
    [TestCase("HOME=", null)]
    public void The_data_directory_is_found(string variables, string? folder)
    {
        var all = variables.Split(' ').Select(static one => one.Split('=')).ToDictionary(static one => one[0], static one => one[1]);
        Assert.That(DataFolder.Find(all.GetValueOrDefault), Is.EqualTo(folder));
    }

    private string Refusal() => Assert.Throws<RefusedException>(() => SqliteDatabase.Prepare(_folder.File))!.Message;

    private void Execute(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={_folder.File};Pooling=False");
        connection.Open();
        using var command = connection.Command(sql);
        command.ExecuteNonQuery();
    }

    private long Number(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={_folder.File};Pooling=False");
        connection.Open();
        using var command = connection.Command(sql);
        return (long)command.ExecuteScalar()!;
    }

    [Test]
    public async Task What_was_spent_is_read_while_a_large_file_is_checked()
    {
        using var folder = new SqliteFolder();
        var ledger = folder.Ledger();
        await ledger.WriteAsync([.. Enumerable.Range(0, 20_000).Select(static i => LedgerRows.Row($"{i:D8}", 0.01m))], default);
        var checks = Enumerable.Range(0, 30).Select(_ => ledger.CheckAsync(thoroughly: true, default)).ToArray();
        await ledger.ReadSpendAsync(["total"], default);
        Assert.That(checks.All(static check => check.IsCompleted), Is.False);
        await Task.WhenAll(checks);
    }
}
