using System.Diagnostics;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>The store is away, slow or broken: requests do not notice, and no row is lost or doubled.</summary>
public sealed class LedgerTroubleTests : LedgerFixture
{
    [Test]
    [Category("P11")]
    public async Task P11_a_store_that_hangs_holds_up_no_request_and_gets_its_rows_when_it_is_back()
    {
        var gate = new TaskCompletionSource();
        Store.Before = () => gate.Task;
        await StartAsync();
        var took = Stopwatch.StartNew();
        for (int i = 0; i < 50; i++)
        {
            Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        }

        Assert.That(took.Elapsed, Is.LessThan(TimeSpan.FromSeconds(20)));
        Assert.That(Store.Rows, Is.Empty);

        // More than the files that are ready at the start can hold: all of it is on disk all the same, file by file.
        var ledger = App.Services.GetRequiredService<Ledger>();
        for (int i = 0; i < 60_000; i++)
        {
            ledger.Append(Accounting.JournalTests.Row(i), default);
            if (i % 5_000 == 0)
            {
                // Half a file at a time: what is promised is that there is a next one, not how fast it is made.
                await Deadline.Until(HasSpareFile, what: "a file to go on in");
            }
        }

        Assert.That(Proxy.ErrorLines, Is.Empty, "no row waits in memory alone");
        gate.SetResult();
        await Deadline.Until(() => Store.Rows.Count == 60_050, TimeSpan.FromSeconds(60), what: "all rows");
    }

    [Test]
    [Category("P11")]
    public async Task P11_a_store_that_fails_is_asked_again_and_no_row_is_doubled()
    {
        AllowErrorLogs("the store fails, and that is told");
        int calls = 0;
        Store.Before = () => ++calls % 2 == 1 ? Task.FromException(new IOException("database is locked")) : Task.CompletedTask;
        await StartAsync();
        for (int i = 0; i < 20; i++)
        {
            await PostAsync(Chat.Request());
        }

        await RowsAsync(20);
        Assert.That(Proxy.ErrorLines.Count(), Is.EqualTo(1), "told once");
    }

    [Test]
    public async Task Rows_that_a_process_could_not_bring_to_its_store_are_brought_by_the_next()
    {
        AllowErrorLogs("the store is away");
        Store.Before = () => Task.FromException(new IOException("away"));
        await StartAsync();
        string id = (await PostAsync(Chat.Request())).Headers["x-request-id"]!;
        await Proxy.DisposeAsync();
        Assert.That(Store.Rows, Is.Empty);

        Store.Before = () => Task.CompletedTask;
        await StartAsync();
        Assert.That((await RowAsync()).Id, Is.EqualTo(id));
        ExpectRecords(0);
        ExpectUpstreamRequests(1);
    }

    [Test]
    public async Task What_was_spent_before_is_known_with_what_waited_and_without_what_is_new()
    {
        AllowErrorLogs("the store is away");
        Store.Before = () => Task.FromException(new IOException("away"));
        await StartAsync();
        await PostAsync(Chat.Request());
        await Proxy.DisposeAsync();

        await StartAsync();
        var ledger = App.Services.GetRequiredService<Ledger>();
        Task<IReadOnlyList<Spend>> reading = ledger.ReadSpendAsync(["total"], CancellationToken.None);
        await PostAsync(Chat.Request());
        Assert.That(reading.IsCompleted, Is.False, "the store is still away");
        Store.Before = () => Task.CompletedTask;
        Assert.That(await Deadline.In(reading), Is.EqualTo(new[] { new Spend("key/tester", "total", 0.033m) }));
        await RowsAsync(2);

        // The second is of the look at the client's connection when the test has ended.
        ExpectRecords(2);
        ExpectUpstreamRequests(2);
    }

    [Test]
    [Category("P13")]
    public async Task P13_a_directory_that_cannot_be_written_costs_no_request()
    {
        AllowErrorLogs("the directory is a file");
        string file = Path.Combine(JournalPath, "file");
        await File.WriteAllTextAsync(file, "");
        Setup.Services = services => services.AddSingleton<ILedgerStore>(Store).AddLlmProxyLedger(ledger => ledger.Directory = Path.Combine(file, "journal"));
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        await RowAsync();
    }

    [Test]
    [Category("P13")]
    public async Task P13_where_no_row_may_be_lost_requests_are_refused_while_there_is_no_room()
    {
        AllowErrorLogs("there is no room");
        var gate = new TaskCompletionSource();
        Store.Before = () => gate.Task;
        string file = Path.Combine(JournalPath, "file");
        await File.WriteAllTextAsync(file, "");
        Setup.Services = services => services.AddSingleton<ILedgerStore>(Store).AddLlmProxyLedger(ledger =>
        {
            ledger.Directory = Path.Combine(file, "journal");
            ledger.WhenFull = FullJournal.Refuse;
        });
        await StartAsync();
        await PostAsync(Chat.Request());
        var ledger = App.Services.GetRequiredService<Ledger>();
        LedgerRow row = Accounting.JournalTests.Row(1);
        while (!ledger.RefusesNew)
        {
            ledger.Append(row, default);
        }

        RawResponse refused = await PostAsync(Chat.Request());
        Contract.AssertError(refused, 503, "insufficient_storage");
        gate.SetResult();
        await Deadline.Until(() => !ledger.RefusesNew);
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        ExpectUpstreamRequests(2);
    }

    private bool HasSpareFile()
    {
        using FileStream newest = File.Open(
            Directory.GetFiles(Path.Combine(JournalPath, "0"), "*.journal").Order(StringComparer.Ordinal).Last(), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] first = new byte[JournalSegment.Head + JournalSegment.FrameHead];
        return newest.ReadAtLeast(first, first.Length, throwOnEndOfStream: false) == first.Length && first.AsSpan(JournalSegment.Head).IndexOfAnyExcept((byte)0) < 0;
    }
}
