using LlmProxy.Core.Accounting;
using NUnit.Framework;

namespace LlmProxy.Tests.Stores;

/// <summary>What every store of the ledger promises.</summary>
internal abstract class LedgerContract
{
    private ILedgerStore _store = null!;

    protected ILedgerStore Store => _store;

    protected static CancellationToken None => CancellationToken.None;

    /// <summary>An empty one.</summary>
    protected abstract Task<ILedgerStore> OpenAsync();

    [SetUp]
    public async Task OpenStoreAsync() => _store = await OpenAsync();

    [Test]
    public async Task A_row_comes_back_as_it_was()
    {
        var (full, bare) = (LedgerRows.Full("2"), new LedgerRow
        {
            Id = "1",
            Started = LedgerRows.Noon,
            Operation = "models",
            Key = "k",
            KeyName = "n",
            Model = "m",
            End = "ok",
            UsageSource = "none",
        });
        await _store.WriteAsync([full, bare], None);
        var rows = await ReadAsync(new UsageQuery());
        Assert.That(rows.Select(static row => row.Id), Is.EqualTo(new[] { "1", "2" }), "by time");
        foreach (var (row, written) in rows.Zip([bare, full]))
        {
            Assert.That(row.Tried, Is.EqualTo(written.Tried));
            Assert.That(row with { Tried = [] }, Is.EqualTo(written with { Tried = [] }));
        }
    }

    [Test]
    public async Task Rows_of_one_batch_keep_nothing_of_the_row_before()
    {
        LedgerRow[] written =
        [
            LedgerRows.Row("a"), LedgerRows.Full("b"), LedgerRows.Row("c", null, group: null), LedgerRows.Full("d", "other"),
            LedgerRows.Row("e", 0m, key: "日本"), LedgerRows.Full("f"), LedgerRows.Full("g") with { KeyDay = new DateOnly(2026, 1, 1) },
            // Those of a statement that has many, in turns of as many.
            .. Enumerable.Range(0, 80).Select(static i => i / 20 % 2 == 0 ? LedgerRows.Full($"h{i:D2}") : LedgerRows.Row($"h{i:D2}", null, group: null)),
        ];
        await _store.WriteAsync(written, None);
        var rows = await ReadAsync(new UsageQuery());
        Assert.That(rows.OrderBy(static row => row.Id).Select(static row => row with { Tried = [] }), Is.EqualTo(written.Select(static row => row with { Tried = [] })));
        Assert.That(rows.OrderBy(static row => row.Id).Select(static row => row.Tried), Is.EqualTo(written.Select(static row => row.Tried)));
    }

    [Test]
    public async Task A_row_that_is_there_already_changes_nothing()
    {
        await _store.WriteAsync([LedgerRows.Row("a", 0.25m), LedgerRows.Row("b", 0.5m)], None);
        await _store.WriteAsync([LedgerRows.Row("b", 7m), LedgerRows.Row("c", 1m), LedgerRows.Row("c", 1m), LedgerRows.Row("a", 7m)], None);
        Assert.That((await ReadAsync(new UsageQuery())).Select(static row => (row.Id, row.Cost)), Is.EquivalentTo(new (string, decimal?)[] { ("a", 0.25m), ("b", 0.5m), ("c", 1m) }));
        Assert.That(await SpendAsync("2026-11-25"), Is.EquivalentTo(new[] { "key/key_1=1.75", "group/team=1.75" }));
    }

    [Test]
    public async Task Spend_is_added_to_the_windows_of_key_group_and_user_and_only_those_asked_for_are_read()
    {
        var late = LedgerRows.Row("b", 0.0000000003m, endUser: "anna") with { KeyDay = new DateOnly(2026, 12, 1) };
        await _store.WriteAsync([LedgerRows.Row("a", 0.1m, endUser: "anna"), late, LedgerRows.Row("c", null), LedgerRows.Row("d", 0m), LedgerRows.Row("e", 2m, group: null)], None);
        Assert.That(await SpendAsync("2026-11-25"), Is.EquivalentTo(new[] { "key/key_1=2.1", "group/team=0.1000000003", "user/team/anna=0.1000000003" }));
        Assert.That(await SpendAsync("2026-12"), Is.EquivalentTo(new[] { "key/key_1=0.0000000003" }));
        Assert.That(await SpendAsync("total", "2026-12-01"), Is.EquivalentTo(new[]
        {
            "key/key_1=2.1000000003", "group/team=0.1000000003", "user/team/anna=0.1000000003", "key/key_1=0.0000000003",
        }));
        Assert.That(await SpendAsync(), Is.Empty);
    }

    [Test]
    public async Task Many_writers_of_the_same_rows_write_each_once()
    {
        var rows = Enumerable.Range(0, 200).Select(static i => LedgerRows.Row($"r{i:D3}", 0.01m, key: $"key_{i % 7}", endUser: $"u{i % 5}")).ToArray();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(writer => Task.Run(async () =>
        {
            foreach (var some in rows.Reverse().Skip(writer % 3).Chunk(20 + writer))
            {
                await _store.WriteAsync(some, None);
            }

            await _store.WriteAsync(rows, None);
        })));
        var total = (await _store.SumAsync(new UsageQuery(), None)).Single();
        Assert.That((total.Requests, total.Cost), Is.EqualTo((200, 2m)));
        Assert.That((await _store.ReadSpendAsync(["total"], None)).Where(static s => s.Meter.StartsWith("key/", StringComparison.Ordinal)).Sum(static s => s.Cost), Is.EqualTo(2m));
    }

    [Test]
    public async Task Rows_are_added_up_by_what_is_asked()
    {
        await _store.WriteAsync(
        [
            LedgerRows.Row("a", 1m),
            LedgerRows.Row("b", 2m, key: "key_2", started: LedgerRows.Noon.AddHours(1)) with { End = "upstream_timeout", UsageSource = "estimate" },
            LedgerRows.Row("c", null, group: null, started: LedgerRows.Noon.AddDays(1)) with { Model = "claude", Upstream = null, OperatorCost = 0.5m },
            LedgerRows.Row("d", null, group: null, started: LedgerRows.Noon.AddDays(31)) with { InputTokens = null, CachedInputTokens = null, CacheWriteTokens = null, OutputTokens = null },
        ],
        None);
        var all = (await _store.SumAsync(new UsageQuery(), None)).Single();
        Assert.That(all.Key, Is.Empty);
        Assert.That((all.Requests, all.Failed, all.Input, all.Cached, all.Written, all.Output), Is.EqualTo((4, 1, 1500, 1200, 300, 150)));
        Assert.That((all.Cost, all.OperatorCost, all.Unpriced, all.Estimated), Is.EqualTo((3m, 0.5m, 1, 1)));
        Assert.That(await SumsAsync(UsageKey.Group), Is.EqualTo(new[] { "-: 2", "team: 2" }));
        Assert.That(await SumsAsync(UsageKey.Key), Is.EqualTo(new[] { "key_1 name: 3", "key_2 name: 1" }));
        Assert.That(await SumsAsync(UsageKey.Model, UsageKey.Upstream), Is.EqualTo(new[] { "claude -: 1", "gpt-5 openai: 3" }));
        Assert.That(await SumsAsync(UsageKey.EndUser), Is.EqualTo(new[] { "-: 4" }));
        Assert.That(await SumsAsync(UsageKey.Time), Is.EqualTo(new[] { "2026-11-25T00:00:00Z: 2", "2026-11-26T00:00:00Z: 1", "2026-12-26T00:00:00Z: 1" }));
        Assert.That(await SumsAsync(UsageBucket.Hour, UsageKey.Time), Is.EqualTo(new[] { "2026-11-25T12:00:00Z: 1", "2026-11-25T13:00:00Z: 1", "2026-11-26T12:00:00Z: 1", "2026-12-26T12:00:00Z: 1" }));
        Assert.That(await SumsAsync(UsageBucket.Month, UsageKey.Time, UsageKey.Group), Is.EqualTo(new[] { "2026-11-01T00:00:00Z -: 1", "2026-11-01T00:00:00Z team: 2", "2026-12-01T00:00:00Z -: 1" }));
        Assert.That((await _store.SumAsync(new UsageQuery { By = [UsageKey.Time], Limit = 2 }, None)).Count, Is.EqualTo(2));
    }

    [Test]
    public async Task An_empty_ledger_adds_up_to_nothing()
    {
        var none = (await _store.SumAsync(new UsageQuery(), None)).Single();
        Assert.That((none.Requests, none.Cost, none.Input), Is.EqualTo((0, 0m, 0)));
        Assert.That(await _store.SumAsync(new UsageQuery { By = [UsageKey.Key] }, None), Is.Empty);
    }

    [Test]
    public async Task Rows_are_chosen_by_every_condition()
    {
        await _store.WriteAsync(
        [
            LedgerRows.Row("a", endUser: "anna"),
            LedgerRows.Row("b", key: "key_2", group: "other", started: LedgerRows.Noon.AddHours(1)) with { Model = "claude", Upstream = "anthropic" },
            LedgerRows.Row("c", key: "key_3", group: null, started: LedgerRows.Noon.AddHours(2)),
        ],
        None);
        Assert.That(await IdsAsync(new UsageQuery { Since = LedgerRows.Noon.AddHours(1) }), Is.EqualTo("bc"));
        Assert.That(await IdsAsync(new UsageQuery { Until = LedgerRows.Noon.AddHours(1) }), Is.EqualTo("a"));
        Assert.That(await IdsAsync(new UsageQuery { Keys = ["key_1", "key_2 name"] }), Is.EqualTo("ab"));
        Assert.That(await IdsAsync(new UsageQuery { Groups = ["other"] }), Is.EqualTo("b"));
        Assert.That(await IdsAsync(new UsageQuery { Models = ["claude"] }), Is.EqualTo("b"));
        Assert.That(await IdsAsync(new UsageQuery { Upstreams = ["openai", "x"] }), Is.EqualTo("ac"));
        Assert.That(await IdsAsync(new UsageQuery { EndUsers = ["anna"] }), Is.EqualTo("a"));
        Assert.That(await IdsAsync(new UsageQuery { Keys = ["key_1"], Groups = ["other"] }), Is.Empty);
        Assert.That(await IdsAsync(new UsageQuery { Limit = 2 }), Is.EqualTo("ab"));
    }

    [Test]
    public async Task More_rows_than_a_page_are_read_in_order()
    {
        await _store.WriteAsync([.. Enumerable.Range(0, 2345).Select(static i => LedgerRows.Row($"{i:D4}", started: LedgerRows.Noon.AddSeconds(i / 10)))], None);
        var ids = (await ReadAsync(new UsageQuery())).Select(static row => row.Id).ToArray();
        Assert.That(ids, Is.EqualTo(Enumerable.Range(0, 2345).Select(static i => $"{i:D4}")));
        Assert.That(await ReadAsync(new UsageQuery { Limit = 1500 }), Has.Count.EqualTo(1500));
    }

    [Test]
    public async Task A_new_price_moves_rows_and_spend_alike()
    {
        await _store.WriteAsync([LedgerRows.Row("a", 1m, endUser: "anna"), LedgerRows.Row("b", null), LedgerRows.Row("c", 3m)], None);
        CostChange[] changes = [new("a", 0.4m), new("b", 2m), new("c", 3m), new("unknown", 9m)];
        Assert.That(await _store.RepriceAsync(changes, None), Is.EqualTo(2));
        Assert.That(await _store.RepriceAsync(changes, None), Is.Zero);
        Assert.That((await _store.SumAsync(new UsageQuery(), None)).Single().Cost, Is.EqualTo(5.4m));
        Assert.That(await SpendAsync("2026-11"), Is.EquivalentTo(new[] { "key/key_1=5.4", "group/team=5.4", "user/team/anna=0.4" }));
        Assert.That(await _store.RepriceAsync([new("b", null)], None), Is.EqualTo(1));
        Assert.That((await SpendAsync("total"))[0], Is.EqualTo("group/team=3.4"));
    }

    [Test]
    public async Task An_erased_user_is_gone_from_rows_and_spend_and_others_stay()
    {
        await _store.WriteAsync(
            [LedgerRows.Row("a", 1m, endUser: "b"), LedgerRows.Row("b", 2m, endUser: "x/b"), LedgerRows.Row("c", 4m, group: "other", endUser: "b"), LedgerRows.Row("d", 8m, endUser: "B")], None);
        Assert.That(await _store.EraseEndUserAsync("b", None), Is.EqualTo(2));
        Assert.That((await ReadAsync(new UsageQuery())).Select(static row => row.EndUser), Is.EqualTo(new[] { null, "x/b", null, "B" }));
        Assert.That(await SpendAsync("total"), Is.EquivalentTo(new[] { "key/key_1=15", "group/team=11", "group/other=4", "user/team/x/b=2", "user/team/B=8" }));
        Assert.That(await _store.EraseEndUserAsync("%", None), Is.Zero);
    }

    [Test]
    public async Task Old_rows_are_deleted_and_what_they_cost_is_not_forgotten()
    {
        await _store.WriteAsync([.. Enumerable.Range(0, 2500).Select(static i => LedgerRows.Row($"{i:D4}", 0.5m, started: LedgerRows.Noon.AddMinutes(i)))], None);
        Assert.That(await _store.DeleteBeforeAsync(LedgerRows.Noon.AddMinutes(2200), None), Is.EqualTo(2200));
        Assert.That(await ReadAsync(new UsageQuery()), Has.Count.EqualTo(300));
        Assert.That(await SpendAsync("total"), Is.EquivalentTo(new[] { "key/key_1=1250", "group/team=1250" }));
    }

    [Test]
    public async Task S08_Any_text_in_any_place_is_kept_as_text()
    {
        foreach (var text in LedgerRows.Nasty)
        {
            await _store.WriteAsync([LedgerRows.Full(text, text)], None);
        }

        var rows = await ReadAsync(new UsageQuery());
        Assert.That(rows, Has.Count.EqualTo(LedgerRows.Nasty.Length));
        foreach (var row in rows)
        {
            Assert.That(row with { Tried = [] }, Is.EqualTo(LedgerRows.Full(row.Id, row.Id) with { Tried = [] }));
            Assert.That(row.Tried, Is.EqualTo(LedgerRows.Full(row.Id, row.Id).Tried));
        }

        foreach (var text in LedgerRows.Nasty)
        {
            var query = new UsageQuery { Keys = [text], Groups = [text], Models = [text], Upstreams = [text], EndUsers = [text], By = [UsageKey.EndUser] };
            Assert.That((await _store.SumAsync(query, None)).Select(static sum => (sum.Key[0], sum.Requests)), Is.EqualTo(new[] { (text, 1L) }));
            Assert.That(await _store.EraseEndUserAsync(text, None), Is.EqualTo(1));
        }

        Assert.That((await _store.ReadSpendAsync(["total"], None)).Count, Is.EqualTo(2 * LedgerRows.Nasty.Length), "of keys and groups alone");
    }

    [Test]
    public async Task Fifty_thousand_rows_are_written_and_added_up_in_reasonable_time()
    {
        var began = TimeProvider.System.GetTimestamp();
        foreach (var some in Enumerable.Range(0, 50_000).Select(static i => LedgerRows.Row($"{i:D8}", 0.0001m, $"key_{i % 50}", started: LedgerRows.Noon.AddSeconds(i))).Chunk(1000))
        {
            await _store.WriteAsync(some, None);
        }

        var written = TimeProvider.System.GetElapsedTime(began);
        var sums = await _store.SumAsync(new UsageQuery { By = [UsageKey.Key, UsageKey.Time], Since = LedgerRows.Noon }, None);
        var all = TimeProvider.System.GetElapsedTime(began);
        await TestContext.Out.WriteLineAsync($"50,000 rows: written in {written.TotalSeconds:F2} s, added up in {(all - written).TotalMilliseconds:F0} ms");
        Assert.That(sums.Sum(static sum => sum.Cost), Is.EqualTo(5m));
        Assert.That(all, Is.LessThan(TimeSpan.FromSeconds(120)), "two orders slower than it should be");
    }

    protected async Task<List<LedgerRow>> ReadAsync(UsageQuery query)
    {
        var rows = new List<LedgerRow>();
        await foreach (var row in _store.ReadAsync(query, None))
        {
            rows.Add(row);
        }

        return rows;
    }

    private async Task<string> IdsAsync(UsageQuery query) => string.Concat((await ReadAsync(query)).Select(static row => row.Id));

    private async Task<string[]> SpendAsync(params string[] windows) =>
        [.. (await _store.ReadSpendAsync(windows, None)).Select(static s => $"{s.Meter}={s.Cost:0.##########}").Order(StringComparer.Ordinal)];

    private Task<string[]> SumsAsync(params UsageKey[] by) => SumsAsync(UsageBucket.Day, by);

    private async Task<string[]> SumsAsync(UsageBucket bucket, params UsageKey[] by) =>
        [.. (await _store.SumAsync(new UsageQuery { By = by, Bucket = bucket }, None)).Select(static sum => $"{string.Join(' ', sum.Key.Select(static k => k ?? "-"))}: {sum.Requests}")];
}
