using LlmProxy.Core.Accounting;
using NUnit.Framework;

namespace LlmProxy.Tests.Stores;

/// <summary>What a store in a database promises beyond that: whatever it is given, no row is held up by another.</summary>
internal abstract class DatabaseContract : LedgerContract
{
    /// <summary>Changes the table by hand.</summary>
    protected abstract Task ExecuteAsync(string sqlite, string postgres);

    [Test]
    public async Task A_row_that_the_database_will_never_take_is_told_from_a_database_that_is_away()
    {
        await Store.WriteAsync([LedgerRows.Row("a")], None);
        await ExecuteAsync(
            sqlite: "ALTER TABLE llmproxy_requests ADD COLUMN poison TEXT CHECK (model <> 'poison')",
            postgres: "ALTER TABLE llmproxy_requests ADD CHECK (model <> 'poison')");
        var poison = LedgerRows.Row("b") with { Model = "poison" };
        var refusal = Assert.ThrowsAsync<LedgerRowRefusedException>(async () => await Store.WriteAsync([LedgerRows.Row("c"), poison], None));
        Assert.That(refusal!.Message, Does.Contain("CHECK").IgnoreCase);
        Assert.ThrowsAsync<LedgerRowRefusedException>(async () => await Store.WriteAsync([poison], None));
        Assert.That((await ReadAsync(new UsageQuery())).Select(static row => row.Id), Is.EqualTo(new[] { "a" }), "none of them");
        await Store.WriteAsync([LedgerRows.Row("c")], None);
        Assert.That((await Store.ReadSpendAsync(["total"], None)).Where(static s => s.Meter == "key/key_1").Sum(static s => s.Cost), Is.EqualTo(0.5m));
        await ExecuteAsync(sqlite: "DROP TABLE llmproxy_spend", postgres: "DROP TABLE llmproxy_spend");
        Assert.That(async () => await Store.WriteAsync([LedgerRows.Row("d")], None), Throws.Exception.Not.InstanceOf<LedgerRowRefusedException>());
    }

    [Test]
    public async Task Of_many_rows_none_is_written_where_one_is_refused_and_each_once_where_some_are_there()
    {
        // More than go by one statement, and not a multiple of that.
        LedgerRow[] rows = [.. Enumerable.Range(0, 93).Select(static i => LedgerRows.Row($"{i:D2}", 0.01m))];
        Assert.That(await ReadAsync(new UsageQuery()), Is.Empty, "and the tables are there");
        await ExecuteAsync(
            sqlite: "ALTER TABLE llmproxy_requests ADD COLUMN poison TEXT CHECK (model <> 'poison')",
            postgres: "ALTER TABLE llmproxy_requests ADD CHECK (model <> 'poison')");
        foreach (var at in (int[])[0, 30, 92])
        {
            LedgerRow[] poisoned = [.. rows];
            poisoned[at] = rows[at] with { Model = "poison" };
            Assert.ThrowsAsync<LedgerRowRefusedException>(async () => await Store.WriteAsync(poisoned, None));
            Assert.That(await ReadAsync(new UsageQuery()), Is.Empty, $"none of them, with that at {at}");
        }

        foreach (var (first, count) in ((int, int)[])[(0, 20), (10, 45), (80, 13), (0, 93)])
        {
            await Store.WriteAsync([rows[first], .. rows.Skip(first).Take(count)], None);
        }

        Assert.That(await ReadAsync(new UsageQuery()), Is.EquivalentTo(rows).Using<LedgerRow>(static (a, b) => a with { Tried = b.Tried } == b));
        Assert.That((await Store.ReadSpendAsync(["total"], None)).Select(static s => s.Cost), Is.EqualTo(new[] { 0.93m, 0.93m }), "of key and group");
    }

    [Test]
    public async Task What_is_no_text_holds_up_no_row()
    {
        // Not as cases: a test's name cannot hold them either.
        var id = 0;
        foreach (var (text, kept) in new[] { ("a\0b", "a\uFFFDb"), ("a\uD800b", "a\uFFFDb"), ("\uDC00", "\uFFFD") })
        {
            await Store.WriteAsync([LedgerRows.Full($"{id++}", text), LedgerRows.Row("other")], None);
            Assert.That((await ReadAsync(new UsageQuery { EndUsers = [text] })).Single().RawUsage, Is.EqualTo(kept));
            Assert.That(await Store.EraseEndUserAsync(text, None), Is.EqualTo(1));
        }
    }

    [Test]
    public async Task Counts_that_an_upstream_makes_up_overflow_no_sum()
    {
        var row = LedgerRows.Row("a") with { InputTokens = long.MaxValue, OutputTokens = long.MaxValue, CachedInputTokens = -5, Cost = 123456.7m };
        await Store.WriteAsync([.. Enumerable.Range(0, 100).Select(i => row with { Id = $"{i}" })], None);
        Assert.That((await Store.SumAsync(new UsageQuery(), None)).Single().Requests, Is.EqualTo(100));
    }
}
