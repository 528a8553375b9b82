using System.Diagnostics.Metrics;
using System.Text.Json.Nodes;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Tests.Accounting;
using LlmProxy.Tests.Stores;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A row that the store will never take is put aside with all that is known of it, and no other waits for it.</summary>
public sealed class RefusedRowTests : LedgerFixture
{
    private const string Why = "the model's name is poison";

    private string Refused => Path.Combine(JournalPath, "0", "refused.jsonl");

    private Ledger Ledger => App.Services.GetRequiredService<Ledger>();

    [SetUp]
    public void Poison()
    {
        ExpectRecords(0);
        ExpectUpstreamRequests(0);
        Store.Refuses = row => row.Model == "poison" ? Why : null;
        AllowErrorLogs("a row is refused, and that is told");
    }

    [Test]
    public async Task One_row_that_is_refused_holds_up_none_of_those_around_it()
    {
        await StartAsync();
        using var refused = new MetricCollector<long>(App.Services.GetRequiredService<IMeterFactory>(), LlmProxyTelemetry.MeterName, "llmproxy.ledger.refused");
        LedgerRow poison = LedgerRows.Full("01JDPOISON") with { Model = "poison" };
        AppendAll(0, 700);
        Ledger.Append(poison, "{\"raw\":1}"u8);
        AppendAll(700, 1_400);
        await Deadline.In(Ledger.FlushAsync(CancellationToken.None));
        Assert.That(Store.Rows.Select(row => row.Id), Is.EqualTo(Enumerable.Range(0, 1_400).Select(i => JournalTests.Row(i).Id)));
        Assert.That(Ledger.WaitingRows, Is.Zero);

        JsonObject line = JsonNode.Parse((await File.ReadAllLinesAsync(Refused)).Single())!.AsObject();
        Assert.That(((string?)line["reason"], (string?)line["key_day"], (string?)line["group_day"]), Is.EqualTo((Why, "2026-11-26", "2026-11-25")));
        JsonObject row = line["row"]!.AsObject();
        Assert.That(row, Has.Count.EqualTo(29), row.ToJsonString());
        Assert.That(row.Where(m => m.Value is null), Is.Empty, "nothing of a row that has everything");
        Assert.That(((string?)row["id"], (string?)row["model"], (decimal)row["cost"]!, (string?)row["raw_usage"]), Is.EqualTo((poison.Id, "poison", poison.Cost, "{\"raw\":1}")));
        if (!OperatingSystem.IsWindows())
        {
            Assert.That(File.GetUnixFileMode(Refused), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        }

        refused.RecordObservableInstruments();
        Assert.That(refused.LastMeasurement!.Value, Is.EqualTo(1));
        Assert.That(Proxy.ErrorLines.Single(), Does.Contain(poison.Id).And.Contain(Refused).And.Contain(Why));
    }

    [Test]
    public async Task A_store_that_goes_away_while_rows_are_offered_one_by_one_gets_each_once_and_each_is_put_aside_once()
    {
        int calls = 0;
        var gate = new TaskCompletionSource();
        Store.Before = () => gate.Task;
        await StartAsync();
        for (int i = 0; i < 12; i++)
        {
            Ledger.Append(i is 3 or 7 ? JournalTests.Row(i) with { Model = "poison" } : JournalTests.Row(i), default);
        }

        // The first batch is one row: what came before the others. Of the next, some are taken before it is away, three times.
        Store.Before = () => ++calls is 8 or 13 or 22 ? Task.FromException(new IOException("away")) : Task.CompletedTask;
        gate.SetResult();
        await Deadline.In(Ledger.FlushAsync(CancellationToken.None));
        Assert.That(Store.Rows, Has.Count.EqualTo(10));
        Assert.That((await SpendAsync()).Cost, Is.EqualTo(10 * 0.25m), "none is counted twice");
        Assert.That(calls, Is.GreaterThan(22), "it was away three times");
        Assert.That(await File.ReadAllLinesAsync(Refused), Has.Length.EqualTo(2));
    }

    [Test]
    public async Task A_row_that_an_earlier_process_has_left_is_put_aside_by_the_next()
    {
        Store.Before = () => Task.FromException(new IOException("away"));
        await StartAsync();
        Ledger.Append(JournalTests.Row(1) with { Model = "poison" }, default);
        Ledger.Append(JournalTests.Row(2), default);
        await Proxy.DisposeAsync();
        Store.Before = () => Task.CompletedTask;
        await StartAsync();
        Assert.That((await RowAsync()).Id, Is.EqualTo(JournalTests.Row(2).Id));
        Assert.That(await File.ReadAllLinesAsync(Refused), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task When_the_file_is_long_a_row_waits_until_it_was_moved_away_and_is_not_lost()
    {
        await StartAsync();
        await using (var full = new FileStream(Refused, FileMode.CreateNew))
        {
            full.SetLength(64 << 20);
        }

        Ledger.Append(JournalTests.Row(1) with { Model = "poison" }, default);
        await Deadline.Until(() => Proxy.ErrorLines.Any(line => line.Contains("move it away", StringComparison.Ordinal)), what: "that to be told");
        Assert.That(Ledger.WaitingRows, Is.EqualTo(1));
        File.Delete(Refused);
        await Deadline.In(Ledger.FlushAsync(CancellationToken.None));
        Assert.That(await File.ReadAllLinesAsync(Refused), Has.Length.EqualTo(1));
    }

    private void AppendAll(int from, int to)
    {
        for (int i = from; i < to; i++)
        {
            Ledger.Append(JournalTests.Row(i), default);
        }
    }

    private async Task<Spend> SpendAsync() => (await Store.ReadSpendAsync(["total"], CancellationToken.None)).Single();
}
