using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using LlmProxy.Core.Accounting;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Accounting;

/// <summary>How long the loop that brings rows to the store rests after a batch: each takes time from streams, however few rows are in it.</summary>
internal sealed class LedgerRestTests
{
    private static readonly TimeSpan _short = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _long = TimeSpan.FromMilliseconds(500);

    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private WatchedTime _time = null!;
    private MemoryLedgerStore _store = null!;
    private string _directory = "";
    private int _number;

    [SetUp]
    public void Begin()
    {
        _directory = Directory.CreateTempSubdirectory("llmproxy-ledger-").FullName;
        (_time, _store, _number) = (new WatchedTime(), new MemoryLedgerStore(), 0);
    }

    [TearDown]
    public void End() => Directory.Delete(_directory, recursive: true);

    [OneTimeTearDown]
    public void EndServices() => _services.Dispose();

    [Test]
    public async Task After_few_rows_others_gather_for_half_a_second()
    {
        await using var ledger = Open();
        Append(ledger, 1);
        await RestsFor(_long);
        Assert.That(_store.Writes, Is.EqualTo(1), "the first row waits for nobody");
        Append(ledger, 3);
        _time.Advance(_short);
        Assert.That(_store.Rows, Has.Count.EqualTo(1));
        _time.Advance(_long - _short);
        await Deadline.Until(() => _store.Rows.Count == 4);
        Assert.That(_store.Writes, Is.EqualTo(2), "those that gathered are one batch");
    }

    [Test]
    public async Task Under_load_it_goes_on_soon()
    {
        // All in one batch: the loop begins when they are there.
        var ledger = Open(begins: false);
        Append(ledger, 60);
        await using (ledger)
        {
            await ledger.StartingAsync(CancellationToken.None);
            await RestsFor(_short);
            Assert.That((_store.Rows.Count, _store.Writes, _time.Set.Contains(_long)), Is.EqualTo((60, 1, false)));
        }
    }

    [Test]
    public async Task Whoever_waits_for_rows_ends_its_rest()
    {
        await using var ledger = Open();
        Append(ledger, 1);
        await RestsFor(_long);
        Append(ledger, 1);
        await Deadline.In(ledger.FlushAsync(CancellationToken.None));
        Assert.That(_store.Rows, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task Its_end_ends_its_rest()
    {
        await using var ledger = Open();
        Append(ledger, 1);
        await RestsFor(_long);
        Append(ledger, 1);
        await Deadline.In(ledger.StoppedAsync(CancellationToken.None));
        Assert.That(_store.Rows, Has.Count.EqualTo(2));
    }

    private Ledger Open(bool begins = true)
    {
        var ledger = new Ledger(
            _store, new LedgerSettings { Directory = _directory }, new ProxyMetrics(_services.GetRequiredService<IMeterFactory>(), _time), _time, NullLogger<Ledger>.Instance);
        if (begins)
        {
            ledger.StartingAsync(CancellationToken.None);
        }

        return ledger;
    }

    private void Append(Ledger ledger, int rows)
    {
        for (var i = 0; i < rows; i++)
        {
            ledger.Append(JournalTests.Row(_number++), default);
        }
    }

    private Task RestsFor(TimeSpan time) => Deadline.Until(() => _time.Set.Contains(time), what: $"a rest of {time}");

    /// <summary>A clock that moves when told, and tells of which timers were set on it.</summary>
    private sealed class WatchedTime : FakeTimeProvider
    {
        public ConcurrentBag<TimeSpan> Set { get; } = [];

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            Set.Add(dueTime);
            return timer;
        }
    }
}
