using LlmProxy.Core.Accounting;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Host.Stores;
using LlmProxy.Tests.Admission;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Stores;

/// <summary>Three replicas that share their limits in a real PostgreSQL.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class SharedAdmissionTests
{
    private const int Limit = 50;
    private const int Rounds = 100;

    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));
    private PostgresDatabase _database = null!;
    private (Admitting Admitting, LimitSharing Sharing)[] _replicas = [];

    [SetUp]
    public async Task OpenAsync()
    {
        _database = new PostgresDatabase(await (await PostgresServer.SharedAsync()).CreateDatabaseAsync());
        var store = new PostgresLimitStore(_database);
        _replicas = [.. Enumerable.Range(0, 3).Select(_ =>
        {
            var sharing = new LimitSharing(store, static () => CutOffShare.Refuse, _clock, NullLogger<LimitSharing>.Instance);
            return (new Admitting(clock: _clock, sharing: sharing), sharing);
        })];
    }

    [TearDown]
    public async Task CloseAsync()
    {
        foreach (var (_, sharing) in _replicas)
        {
            await sharing.StopAsync(CancellationToken.None);
            sharing.Dispose();
        }

        await (_database?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    [Test]
    [Category("L10")]
    public async Task L10_of_200_at_once_on_three_replicas_never_more_than_50_are_let_in([Values("requests", "tokens", "concurrency", "money")] string limit)
    {
        foreach (var (_, sharing) in _replicas)
        {
            await sharing.StartAsync(CancellationToken.None);
        }

        for (int round = 0; round < Rounds; round++)
        {
            var allowance = limit switch
            {
                "requests" => new KeyOptions { RequestsPerMinute = Limit },
                "tokens" => new KeyOptions { TokensPerMinute = Limit * 2000L },
                "concurrency" => new KeyOptions { Concurrent = Limit },
                _ => new KeyOptions { Budget = new BudgetOptions { Day = Limit * 0.003m } },
            };
            Caller[] callers = [.. _replicas.Select(_ => Admitting.CallerOf(allowance, id: $"key-{round}"))];
            bool[] admitted = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => Task.Run(() => TryAsync(i % 3, callers[i % 3]))));
            int first = admitted.Count(static a => a);
            Assert.That(first, Is.InRange(Limit - (3 * ((Limit / 8) + 1)), Limit));

            // What one held ready and did not need comes back to the others.
            for (int i = 0; i < 10; i++)
            {
                _clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
                foreach (var (_, sharing) in _replicas)
                {
                    await sharing.AskAsync(CancellationToken.None);
                }
            }

            int later = 0;
            for (int i = 0; i < 30; i++)
            {
                later += await TryAsync(0, callers[0]) ? 1 : 0;
            }

            Assert.That(first + later, Is.EqualTo(Limit));
            _clock.Advance(TimeSpan.FromMinutes(1) - TimeSpan.FromTicks(_clock.GetUtcNow().Ticks % TimeSpan.TicksPerMinute));
        }
    }

    [Test]
    public async Task A_budget_that_is_new_goes_on_from_what_the_ledger_says_was_spent()
    {
        await new PostgresLedgerStore(_database).WriteAsync([Row("a", 0.9985m)], CancellationToken.None);
        Caller caller = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Month = 1 } });
        var slot = new Admitting.Slot();
        Assert.That(_replicas[0].Admitting.Reserve(caller, slot), Is.Not.Null);
        await _replicas[0].Sharing.ExchangeAsync(CancellationToken.None);
        ProxyError error = _replicas[0].Admitting.Reserve(caller, slot)!;
        Assert.That(error.Message, Does.StartWith("Your budget for this month has too little left for this request: 0.9985 of 1.00 USD are used"));
    }

    [Test]
    public async Task Prices_that_are_put_right_move_a_budget_that_is_shared_up_and_down()
    {
        var ledger = new PostgresLedgerStore(_database);
        await ledger.WriteAsync([Row("a", 0.5m)], CancellationToken.None);
        Caller[] callers = [.. _replicas.Select(_ => Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Month = 1 } }))];
        Assert.That(await AskAsync(0, callers[0]), Is.EqualTo("let in"), "the budget has begun, with half of it spent");

        await ledger.RepriceAsync([new CostChange("a", 0.9985m)], CancellationToken.None);
        Assert.That(await AskAsync(1, callers[1]), Does.Contain("0.9985 of 1.00 USD"));
        Assert.That(await ledger.RepriceAsync([new CostChange("a", 0.9985m)], CancellationToken.None), Is.Zero);
        Assert.That(await AskAsync(1, callers[1]), Does.Contain("0.9985 of 1.00 USD"), "once");

        await ledger.RepriceAsync([new CostChange("a", 0.1m)], CancellationToken.None);
        Assert.That(await AskAsync(2, callers[2]), Is.EqualTo("let in"));
    }

    private LedgerRow Row(string id, decimal cost) => new()
    {
        Id = id,
        Started = _clock.GetUtcNow(),
        Operation = "chat",
        Key = "anna",
        KeyName = "anna",
        Model = "m",
        End = "ok",
        UsageSource = "upstream",
        Cost = cost,
        KeyDay = new DateOnly(2026, 11, 22),
        GroupDay = new DateOnly(2026, 11, 22),
    };

    private async Task<string> AskAsync(int replica, Caller caller)
    {
        await _replicas[replica].Sharing.ExchangeAsync(CancellationToken.None);
        _clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
        var slot = new Admitting.Slot();
        _replicas[replica].Admitting.Reserve(caller, slot);
        await _replicas[replica].Sharing.ExchangeAsync(CancellationToken.None);
        return _replicas[replica].Admitting.Reserve(caller, slot)?.Message ?? "let in";
    }

    private async Task<bool> TryAsync(int replica, Caller caller)
    {
        var (admitting, sharing) = _replicas[replica];
        var slot = new Admitting.Slot();
        if (admitting.Reserve(caller, slot) is null)
        {
            return true;
        }

        if (!slot.MayAsk)
        {
            return false;
        }

        await sharing.AskAsync(CancellationToken.None);
        return admitting.Reserve(caller, slot) is null;
    }
}
