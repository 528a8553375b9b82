using System.Security.Cryptography;
using LlmProxy.Core.Accounting;
using LlmProxy.Host.Stores;
using LlmProxy.Tests.Stores;
using Microsoft.Data.Sqlite;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>Commands on the data directory of a proxy that does not run.</summary>
internal sealed class StoppedStoreTests : HostTest
{
    private const string Key = "sk-a-key-of-a-client-0123456789";

    private string Data => Path.Combine(Folder, ".data");

    private string Database => Path.Combine(Data, "llmproxy.db");

    [Test]
    public async Task A_command_that_looks_changes_nothing_and_one_that_changes_something_no_more_than_that()
    {
        await using var upstream = await TinyUpstream.StartAsync();
        await LeaveRowsInTheJournalAsync(upstream);
        // Older than KeepDays, and nobody serves who would have the old ones deleted.
        using (var ledger = new SqliteLedgerStore(Database))
        {
            await ledger.WriteAsync([LedgerRows.Row("old", started: DateTimeOffset.UtcNow.AddDays(-40))], default);
        }

        File.Delete(Path.Combine(Data, "keys.snapshot"));
        await WriteAsync("llmproxy.json", Configuration(upstream.Url, Key, "\"Store\": { \"Kind\": \"SQLite\", \"KeepDays\": 1 },"));
        var before = Files();
        Assert.That(before.Keys, Has.Some.EndsWith(".journal"));
        foreach (var command in (string[])["keys list", "keys show anna", "groups list", "usage", "usage --rows", "usage reprice --dry-run", "check --store"])
        {
            var (code, _, people) = await RunAsync(null, command.Split(' '));
            Assert.That(code, Is.Zero, command + ": " + people);
            Assert.That(Files(), Is.EqualTo(before), command);
            Assert.That(await IdsAsync(), Is.EqualTo((string[])["old"]), command);
        }

        Assert.That((await RunAsync(null, "keys", "create", "bob")).Code, Is.Zero);
        Assert.That((await RunAsync(null, "keys", "revoke", "bob")).Code, Is.Zero);
        Assert.That(await IdsAsync(), Is.EqualTo((string[])["old"]));
        var after = Files();
        Assert.That(after.Remove(Path.Combine(Data, "keys.snapshot")), Is.True, "for a start while the store is away, in which a revoked key is refused");
        Assert.That(after, Is.EqualTo(before));
    }

    [Test]
    public async Task A_check_of_the_store_says_what_version_it_is_at_and_changes_nothing()
    {
        await WriteAsync("llmproxy.json", Configuration("http://127.0.0.1:9/v1", Key, "\"Store\": \"SQLite\","));
        var nothing = await RunAsync(null, "check", "--store");
        Assert.That((nothing.Code, nothing.Results), Is.EqualTo((0, nothing.Results)));
        Assert.That(nothing.Results, Does.Contain("llmproxy.db is not there"));
        Assert.That(Directory.Exists(Data) ? Directory.GetFileSystemEntries(Data) : [], Is.Empty);

        // A database without tables: what opened it to use it would make them.
        Directory.CreateDirectory(Data);
        await File.WriteAllBytesAsync(Database, []);
        Assert.That((await RunAsync(null, "check", "--store")).Results, Does.Contain("has no tables yet"));
        Assert.That(new FileInfo(Database).Length, Is.Zero);

        Assert.That((await RunAsync(null, "migrate")).Code, Is.Zero);
        Assert.That((await RunAsync(null, "check", "--store")).Results, Is.EqualTo("0 errors, 0 warnings: usable\n"));
        Number("PRAGMA user_version = 1000");
        var older = await RunAsync(null, "check", "--store");
        Assert.That((older.Code, older.Results), Is.EqualTo((0, older.Results)));
        Assert.That(older.Results, Does.Contain("is at schema 1.0;").And.Contain("brings it to 1.2"));
        Assert.That(Number("PRAGMA user_version"), Is.EqualTo(1000));
    }

    [Test]
    public async Task A_migration_that_finds_the_store_busy_says_so_and_fails()
    {
        Directory.CreateDirectory(Data);
        await WriteAsync("llmproxy.json", Configuration("http://127.0.0.1:9/v1", Key, "\"Store\": \"SQLite\","));
        await using (var connection = new SqliteConnection($"Data Source={Database};Pooling=False"))
        {
            await connection.OpenAsync();
            Number(connection, "BEGIN EXCLUSIVE");
            var (code, _, people) = await RunAsync(null, "migrate");
            Assert.That((code, people), Is.EqualTo((1, people)));
            Assert.That(people, Does.Contain("is busy"));
        }

        Assert.That((await RunAsync(null, "migrate")).Code, Is.Zero);
    }

    [Test]
    public async Task A_long_list_is_read_to_its_end_and_an_import_says_which_lines_are_wrong()
    {
        await WriteAsync("llmproxy.json", Configuration("http://127.0.0.1:9/v1", Key, "\"Store\": \"SQLite\","));
        var lines = Enumerable.Range(0, 2500).Select(static i => $"user-{i:D4},{Convert.ToHexString(SHA256.HashData(BitConverter.GetBytes(i)))}").ToArray();
        await WriteAsync("keys.csv", "name,hash\n" + string.Join('\n', lines));
        var imported = await RunAsync(null, "keys", "import", Path.Combine(Folder, "keys.csv"));
        Assert.That((imported.Code, imported.People), Is.EqualTo((0, imported.People)));

        // Before or behind the line that says who has changed what: that is written when the answer is on its way.
        Assert.That(imported.People, Does.Contain("2500 keys were imported.\n"));
        var list = await RunAsync(null, "keys", "list", "--json");
        using (var json = System.Text.Json.JsonDocument.Parse(list.Results))
        {
            Assert.That(json.RootElement.GetProperty("keys").EnumerateArray().Select(static key => key.GetProperty("name").GetString()).ToArray(), Is.Unique.And.Length.EqualTo(2501));
        }

        await WriteAsync("keys.csv", "name,hash\n" + string.Join('\n', lines[..3].Select(static (line, i) => i == 1 ? line : "new-" + i + line[line.IndexOf(',', StringComparison.Ordinal)..])));
        var again = await RunAsync(null, "keys", "import", Path.Combine(Folder, "keys.csv"));
        Assert.That(again.Code, Is.EqualTo(1));
        Assert.That(again.People, Does.Contain("line 2").And.Contain("line 3").And.Contain("line 4"));
    }

    /// <summary>A proxy that is killed while its store takes nothing.</summary>
    private async Task LeaveRowsInTheJournalAsync(TinyUpstream upstream)
    {
        await WriteAsync("llmproxy.json", Configuration(upstream.Url, Key));
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        await using (var connection = new SqliteConnection($"Data Source={Database};Pooling=False"))
        {
            await connection.OpenAsync();
            await using var holding = connection.BeginTransaction();
            using var client = host.Client(Key);
            for (var i = 0; i < 3; i++)
            {
                using var response = await PostAsync(client, "/v1/chat/completions", """{"model":"small","stream":true,"messages":[]}""");
                Assert.That(await response.Content.ReadAsStringAsync(), Does.EndWith("data: [DONE]\n\n"));
            }

            await host.SignalAsync("KILL");
            await host.ExitedAsync();
        }
    }

    /// <summary>All but the database, of which another program that looks tidies up what a kill has left beside it.</summary>
    private Dictionary<string, string> Files() => Directory.EnumerateFiles(Data, "*", SearchOption.AllDirectories)
        .Where(static file => !Path.GetFileName(file).StartsWith("llmproxy.db", StringComparison.Ordinal) && !file.EndsWith(".sock", StringComparison.Ordinal))
        .ToDictionary(static file => file, static file => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file))));

    private long Number(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Database};Pooling=False");
        connection.Open();
        return Number(connection, sql);
    }

    private static long Number(SqliteConnection connection, string sql)
    {
        using var command = connection.Command(sql);
        return command.ExecuteScalar() as long? ?? 0;
    }

    private async Task<string[]> IdsAsync()
    {
        using var ledger = new SqliteLedgerStore(Database);
        var ids = new List<string>();
        await foreach (var row in ledger.ReadAsync(new UsageQuery(), default))
        {
            ids.Add(row.Id);
        }

        return [.. ids];
    }
}
