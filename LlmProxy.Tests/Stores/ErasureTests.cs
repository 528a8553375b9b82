using LlmProxy.Core.Admission;
using LlmProxy.Host.Stores;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Stores;

/// <summary>Whom the ledger no longer names nothing else of a store names.</summary>
internal sealed class ErasureTests
{
    private const string User = "anna/maría@example.org";

    private static CancellationToken None => CancellationToken.None;

    [Test]
    public async Task In_PostgreSQL_neither_shared_limits_nor_what_replicas_have_of_them_name_an_erased_user()
    {
        var connection = await (await PostgresServer.SharedAsync()).CreateDatabaseAsync();
        await using var database = new PostgresDatabase(connection);
        var (ledger, limits) = (new PostgresLedgerStore(database), new PostgresLimitStore(database));
        await ledger.WriteAsync([LedgerRows.Row("a", endUser: User), LedgerRows.Row("b", endUser: "other")], None);
        string[] theirs = [.. ((string[])["usd", "requests", "tokens", "concurrent"]).Select(static what => UserMeters.NameOf("team/a", User) + "/" + what)];
        string[] others = [UserMeters.NameOf("team/a", "other") + "/usd", $"user/x/{User}x/usd", $"user/x/x/{User}/usd", $"group/{User}/usd", $"key/{User}/usd"];
        await limits.ExchangeAsync("r", [.. theirs.Concat(others).Select(static meter => new LimitAsk(meter, "total", 5, 1, 1, TimeSpan.FromMinutes(1), null))], None);
        Assert.That(await ledger.EraseEndUserAsync(User, None), Is.EqualTo(1));
        foreach (var table in (string[])["llmproxy_limits", "llmproxy_slices"])
        {
            await using var opened = await database.OpenAsync(None);
            await using var read = opened.Command($"SELECT meter FROM {table}");
            Assert.That(await read.ReadAsync(static row => row.GetString(0), None), Is.EquivalentTo(others), table);
        }

        Assert.That((await ledger.ReadSpendAsync(["total"], None)).Select(static spend => spend.Meter), Has.None.Contain("maría").And.Some.Contain("other"));
    }

    [Test]
    public async Task In_SQLite_no_byte_of_an_erased_users_name_is_left_in_the_files()
    {
        using var folder = new SqliteFolder();
        var ledger = folder.Ledger();
        await ledger.WriteAsync([.. Enumerable.Range(0, 500).Select(static i => LedgerRows.Row($"{i:D5}", endUser: i % 7 == 0 ? User : "other"))], None);
        Assert.That(Holds(folder, User), Is.True);
        Assert.That(await ledger.EraseEndUserAsync(User, None), Is.EqualTo(72));
        Assert.That(Holds(folder, User), Is.False);
        Assert.That(Holds(folder, "other"), Is.True);
    }

    private static bool Holds(SqliteFolder folder, string text) => Directory.GetFiles(folder.Path).Any(file =>
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(text)) >= 0;
    });
}
