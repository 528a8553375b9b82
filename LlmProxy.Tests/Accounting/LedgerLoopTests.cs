using System.Diagnostics.Metrics;
using LlmProxy.Core.Accounting;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Testing;
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

    [Test]
    public async Task An_erased_end_user_is_named_by_no_file_of_the_journal()
    {
        const string User = "anna@example.org";
        var store = new RefusingStore();
        await using Ledger ledger = Open(store);
        await ledger.StartingAsync(CancellationToken.None);
        for (var i = 0; i < 5; i++)
        {
            ledger.Append(JournalTests.Row(i) with { Id = i == 0 ? "poison" : $"{i}", EndUser = i < 3 ? User : "other" }, default);
        }

        await Deadline.In(ledger.FlushAsync(CancellationToken.None));
        Assert.That(FilesWith(User), Has.Length.EqualTo(2), "the file that is written, and the one with the row that was refused");
        Assert.That(await Deadline.In(ledger.EraseEndUserAsync(User, CancellationToken.None)), Is.EqualTo(1));
        Assert.That(FilesWith(User), Is.Empty);
        string refused = await File.ReadAllTextAsync(Directory.GetFiles(_directory, "refused.jsonl", SearchOption.AllDirectories).Single());
        Assert.That(refused, Does.Contain("\"id\":\"poison\"").And.Contain("\"user\":null").And.EndWith("\n"));
        ledger.Append(JournalTests.Row(9) with { EndUser = "other" }, default);
        await Deadline.In(ledger.FlushAsync(CancellationToken.None));
        Assert.That(store.Rows, Has.Count.EqualTo(5), "it goes on in another file");
    }

    [Test]
    public async Task An_end_user_whose_name_cannot_leave_the_journal_now_is_not_called_erased()
    {
        await using Ledger ledger = Open(new MemoryLedgerStore());
        await ledger.StartingAsync(CancellationToken.None);

        // There is one file to go on in, and from now on none can be made.
        Directory.Delete(Path.Combine(_directory, "0"), recursive: true);
        ledger.Append(JournalTests.Row(1) with { EndUser = "anna" }, default);
        await Deadline.In(ledger.EraseEndUserAsync("anna", CancellationToken.None));
        ledger.Append(JournalTests.Row(2) with { EndUser = "anna" }, default);
        Assert.ThrowsAsync<IOException>(() => Deadline.In(ledger.EraseEndUserAsync("anna", CancellationToken.None)));
    }

    [Test]
    public async Task What_only_asks_takes_nothing_and_deletes_nothing_and_a_server_does()
    {
        var store = new RefusingStore();
        await using (Open(store, keepDays: 1))
        {
            Assert.That(Directory.GetFileSystemEntries(_directory), Is.Empty);
        }

        await using (Ledger asking = Open(store, keepDays: 1))
        {
            await Deadline.In(asking.FlushAsync(CancellationToken.None));
        }

        Assert.That(store.Deletions, Is.Zero);
        await using Ledger serving = Open(store, keepDays: 1);
        await serving.StartingAsync(CancellationToken.None);
        await Deadline.Until(() => store.Deletions == 1);
    }

    [Test]
    public async Task A_folder_that_may_not_be_opened_is_told_of_once_and_the_next_is_taken()
    {
        // What opens it gets the same refusal as of another user's file, whoever runs this.
        Directory.CreateDirectory(Path.Combine(_directory, "0", "lock"));
        await File.WriteAllBytesAsync(Path.Combine(_directory, "0", "0000000001.journal"), new byte[64]);
        var logger = new FakeLogger<Ledger>();
        await using (Ledger ledger = Open(new MemoryLedgerStore(), logger: logger))
        {
            await Deadline.In(ledger.FlushAsync(CancellationToken.None));
        }

        Assert.That(Directory.Exists(Path.Combine(_directory, "1")), Is.True);
        Assert.That(logger.Collector.GetSnapshot().Select(static one => one.Message), Has.One.StartsWith($"The journal's folder {Path.Combine(_directory, "0")} is another user's"));
    }

    private string[] FilesWith(string text) =>
    [
        .. Directory.GetFiles(_directory, "*", SearchOption.AllDirectories).Where(static file => Path.GetFileName(file) != "lock").Where(file =>
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(text)) >= 0;
        }),
    ];

    [TestCase(0)]
    [TestCase(-1)]
    [TestCase(int.MaxValue)]
    public void Days_that_no_ledger_can_keep_are_refused(int days) => Assert.That(
        () => Open(new MemoryLedgerStore(), days), Throws.InvalidOperationException.With.Message.Contain("KeepDays"));

    private Ledger Open(ILedgerStore store, int? keepDays = null, ILogger<Ledger>? logger = null) => new(
        store, new LedgerSettings { Directory = _directory, KeepDays = keepDays }, new ProxyMetrics(_services.GetRequiredService<IMeterFactory>(), TimeProvider.System), TimeProvider.System, logger ?? NullLogger<Ledger>.Instance);

    /// <summary>Takes all rows but one, and counts how often old ones are to be deleted.</summary>
    private sealed class RefusingStore : ILedgerStore
    {
        private readonly MemoryLedgerStore _inner = new();
        private int _deletions;

        public IReadOnlyList<LedgerRow> Rows => _inner.Rows;

        public int Deletions => Volatile.Read(ref _deletions);

        public ValueTask WriteAsync(IReadOnlyList<LedgerRow> rows, CancellationToken cancellationToken) =>
            rows.FirstOrDefault(static row => row.Id == "poison") is { } poison
                ? throw new LedgerRowRefusedException($"I do not like {poison.EndUser}.")
                : _inner.WriteAsync(rows, cancellationToken);

        public ValueTask<IReadOnlyList<Spend>> ReadSpendAsync(IReadOnlyCollection<string> windows, CancellationToken cancellationToken) => _inner.ReadSpendAsync(windows, cancellationToken);

        public ValueTask<IReadOnlyList<UsageTotal>> SumAsync(UsageQuery query, CancellationToken cancellationToken) => _inner.SumAsync(query, cancellationToken);

        public IAsyncEnumerable<LedgerRow> ReadAsync(UsageQuery query, CancellationToken cancellationToken) => _inner.ReadAsync(query, cancellationToken);

        public ValueTask<int> RepriceAsync(IReadOnlyList<CostChange> changes, CancellationToken cancellationToken) => _inner.RepriceAsync(changes, cancellationToken);

        public ValueTask<int> EraseEndUserAsync(string endUser, CancellationToken cancellationToken) => _inner.EraseEndUserAsync(endUser, cancellationToken);

        public ValueTask<int> DeleteBeforeAsync(DateTimeOffset before, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _deletions);
            return _inner.DeleteBeforeAsync(before, cancellationToken);
        }
    }
}
