using System.Diagnostics.Metrics;
using LlmProxy.Core.Accounting;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;

namespace LlmProxy.Tests.Accounting;

/// <summary>The loop that brings rows to the store.</summary>
internal sealed class LedgerLoopTests
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private string _directory = "";

    [SetUp]
    public void MakeDirectory() => _directory = Directory.CreateTempSubdirectory("llmproxy-ledger-").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(_directory, recursive: true);

    [OneTimeTearDown]
    public void EndServices() => _services.Dispose();

    [Test]
    public async Task Whoever_waits_for_the_rows_of_now_does_not_wait_for_those_that_keep_coming()
    {
        Ledger ledger = null!;
        var number = 0;

        // Whenever some are written, there is one more.
        var store = new MemoryLedgerStore { Before = () => Task.Run(() => ledger.Append(JournalTests.Row(Interlocked.Increment(ref number)), default)) };
        await using (ledger = Open(store))
        {
            ledger.Append(JournalTests.Row(1_000_000), default);
            await Deadline.In(ledger.FlushAsync(CancellationToken.None));
            Assert.That(store.Rows.Select(row => row.Id), Does.Contain(JournalTests.Row(1_000_000).Id));
        }
    }

    [Test]
    public async Task Whoever_asks_after_its_end_is_told_so()
    {
        Ledger ledger = Open(new MemoryLedgerStore());
        await ledger.StoppedAsync(CancellationToken.None);
        await Deadline.Until(() => ledger.FlushAsync(CancellationToken.None).IsCanceled);
        await ledger.DisposeAsync();
    }

    [TestCase(0)]
    [TestCase(-1)]
    [TestCase(int.MaxValue)]
    public void Days_that_no_ledger_can_keep_are_refused(int days) => Assert.That(
        () => Open(new MemoryLedgerStore(), days), Throws.InvalidOperationException.With.Message.Contain("KeepDays"));

    private Ledger Open(MemoryLedgerStore store, int? keepDays = null) => new(
        store, new LedgerSettings { Directory = _directory, KeepDays = keepDays }, new ProxyMetrics(_services.GetRequiredService<IMeterFactory>(), TimeProvider.System), TimeProvider.System, NullLogger<Ledger>.Instance);
}
