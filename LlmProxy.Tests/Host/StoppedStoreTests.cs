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

    private string Journal => Path.Combine(Data, "journal");

    [Test]
    public async Task A_command_that_looks_changes_nothing_and_one_that_changes_something_no_more_than_that()
    {
        await using var upstream = await TinyUpstream.StartAsync();
        await LeaveRowsInTheJournalAsync(upstream, endUser: null);
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

    /// <summary>A proxy that is killed while its store takes nothing.</summary>
    private async Task LeaveRowsInTheJournalAsync(TinyUpstream upstream, string? endUser)
    {
        await WriteAsync("llmproxy.json", Configuration(upstream.Url, Key));
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        await using (var connection = new SqliteConnection($"Data Source={Database};Pooling=False"))
        {
            await connection.OpenAsync();
            await using var holding = connection.BeginTransaction();
            using var client = host.Client(Key);
            if (endUser is not null)
            {
                client.DefaultRequestHeaders.Add("X-User", endUser);
            }

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
