using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

/// <summary>Several replicas and one limit. A request of the tests takes 2,000 tokens and 0.003 dollars.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class SharedLimitTests
{
    private const int Limit = 50;

    private static readonly Dictionary<string, Func<KeyOptions>> _limits = new()
    {
        ["requests"] = () => new KeyOptions { RequestsPerMinute = Limit },
        ["tokens"] = () => new KeyOptions { TokensPerMinute = Limit * 2000L },
        ["concurrency"] = () => new KeyOptions { Concurrent = Limit },
        ["money"] = () => new KeyOptions { Budget = new BudgetOptions { Day = Limit * 0.003m } },
    };

    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));
    private readonly MemoryLimitStore _store;
    private readonly Replica[] _replicas;
    private CutOffShare _whenCutOff;

    public SharedLimitTests()
    {
        _store = new MemoryLimitStore(_clock);
        _replicas = [.. Enumerable.Range(0, 3).Select(_ => new Replica(new LimitSharing(_store, () => _whenCutOff, _clock, NullLogger<LimitSharing>.Instance), _clock))];
    }

    [Test]
    [Category("L10")]
    public async Task L10_three_replicas_together_let_in_as_many_as_one_would([Values("requests", "tokens", "concurrency", "money")] string limit)
    {
        Caller caller = Admitting.CallerOf(_limits[limit]());
        var admitted = 0;

        // As they come: to one replica after the other, an exchange every now and then, more than three times as many as there is room for.
        for (var i = 0; i < 200; i++)
        {
            admitted += await TryAsync(_replicas[i % 3], caller) is null ? 1 : 0;
            if (i % 10 == 0)
            {
                await ExchangeAllAsync();
            }
        }

        // What one holds ready and does not use comes back to the others.
        for (var round = 0; round < 20; round++)
        {
            await ExchangeAllAsync();
            _clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
        }

        for (var i = 0; i < 30; i++)
        {
            admitted += await TryAsync(_replicas[0], caller) is null ? 1 : 0;
        }

        Assert.That(admitted, Is.EqualTo(Limit));
        Assert.That(_store.Most.Values, Is.All.LessThanOrEqualTo(limit switch { "tokens" => Limit * 2000m, "money" => Limit * 0.003m, _ => Limit }));
    }

    [Test]
    public async Task What_several_limits_lack_is_asked_for_at_once()
    {
        Caller caller = Admitting.CallerOf(
            new KeyOptions { RequestsPerMinute = 100, Concurrent = 10, Budget = new BudgetOptions { Day = 1, Month = 10 } },
            pool: new GroupOptions { Concurrent = 20, Budget = new BudgetOptions { Total = 100 } });
        Assert.That(await TryAsync(_replicas[0], caller), Is.Null, "its first request on this replica");
    }

    [Test]
    public async Task What_was_used_counts_for_all_and_what_was_not_is_there_again()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Day = 0.012m } });
        var slots = new List<Admitting.Slot>();
        for (var i = 0; i < 3; i++)
        {
            slots.Add(new Admitting.Slot());
            Assert.That(await TryAsync(_replicas[i], caller, slots[i]), Is.Null);
        }

        slots[0].Lease.GiveBack();
        slots[1].Lease.Settle(10, 0.010m);
        slots[2].Lease.GiveBack();
        await SettleDownAsync();
        ProxyError error = (await TryAsync(_replicas[0], caller))!;
        Assert.That(error.Message, Is.EqualTo(
            "Your budget for today has too little left for this request: 0.01 of 0.012 USD are used, and it may cost 0.003 USD. It resets 2026-11-23 00:00 UTC."));

        // What is too little for one is let go in a moment.
        _clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
        await ExchangeAllAsync();
        Assert.That(await TryAsync(_replicas[2], caller, body: Admitting.Body(answer: 100)), Is.Null);
    }

    [Test]
    public async Task A_replica_that_is_cut_off_lives_on_what_it_holds_and_then_refuses()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { RequestsPerMinute = 1000 });
        await TryAsync(_replicas[0], caller);
        _clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
        await ExchangeAllAsync();
        _store.IsDown = true;
        var alone = 0;
        while (await TryAsync(_replicas[0], caller) is null)
        {
            alone++;
        }

        Assert.That(alone, Is.InRange(1, 1000 / 8));
        _store.IsDown = false;
        Assert.That(await TryAsync(_replicas[0], caller), Is.Null, "asking was worth while again");
    }

    [Test]
    public async Task What_a_replica_holds_ends_with_its_time()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Total = 1 } });
        await TryAsync(_replicas[0], caller);
        _clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
        await ExchangeAllAsync();
        _store.IsDown = true;
        Assert.That(await TryAsync(_replicas[0], caller), Is.Null);
        _clock.Advance(TimeSpan.FromSeconds(LimitSharing.ExpirySeconds + 1));
        Assert.That(await TryAsync(_replicas[0], caller), Is.Not.Null, "others may have it by now");
    }

    [Test]
    public async Task Or_serves_everybody_if_that_is_wanted()
    {
        _whenCutOff = CutOffShare.Serve;
        Caller caller = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Total = 1 } });
        _store.IsDown = true;
        for (var i = 0; i < 1000; i++)
        {
            Assert.That(await TryAsync(_replicas[0], caller), Is.Null);
        }
    }

    [Test]
    public async Task Who_has_just_heard_that_there_is_no_more_does_not_ask_again()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { RequestsPerMinute = 1 });
        Assert.That(await TryAsync(_replicas[0], caller), Is.Null);
        await TryAsync(_replicas[0], caller);
        var before = _store.Exchanges;
        for (var i = 0; i < 100; i++)
        {
            Assert.That((await TryAsync(_replicas[0], caller))!.Message, Does.StartWith("Your key's limit of 1 requests a minute"));
        }

        Assert.That(_store.Exchanges - before, Is.LessThanOrEqualTo(1));
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.That(await TryAsync(_replicas[1], caller), Is.Null, "in the next minute");
        Assert.That(await TryAsync(_replicas[0], caller), Is.Not.Null);
    }

    /// <summary>Right after the answer, and with places kept ready for the next.</summary>
    [Test]
    public async Task Who_stops_tells_what_it_has_used_and_keeps_nothing()
    {
        Caller budget = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Month = 0.008m } });
        var running = new Admitting.Slot();
        for (var i = 0; i < 2; i++)
        {
            Assert.That(await TryAsync(_replicas[0], budget, running), Is.Null);
            running.Lease.Settle(10, 0.001m);
            _clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
            await _replicas[0].Sharing.ExchangeAsync(CancellationToken.None);
        }

        Assert.That(await TryAsync(_replicas[0], budget, running), Is.Null);
        running.Lease.Settle(10, 0.003m);
        await _replicas[0].Sharing.StopAsync(CancellationToken.None);
        var exchanges = _store.Exchanges;
        await _replicas[0].Sharing.StopAsync(CancellationToken.None);
        Assert.That(_store.Exchanges, Is.EqualTo(exchanges));

        Assert.That(await TryAsync(_replicas[1], budget), Is.Null, "0.003 dollars are left, to the last");
        ProxyError error = (await TryAsync(_replicas[1], budget))!;
        Assert.That(error.Message, Does.Contain("0.005 of 0.008 USD are used"));
    }

    [Test]
    public async Task Who_stops_waits_for_no_store_that_is_away()
    {
        await TryAsync(_replicas[0], Admitting.CallerOf(new KeyOptions { Concurrent = 8 }));
        _store.IsDown = true;
        await _replicas[0].Sharing.StopAsync(CancellationToken.None);
        _store.IsDown = false;
    }

    [Test]
    public async Task Nobody_who_is_idle_asks()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { Concurrent = 4, Budget = new BudgetOptions { Month = 1 } });
        var slot = new Admitting.Slot();
        await TryAsync(_replicas[0], caller, slot);
        slot.Lease.Settle(10, 0.001m);
        await SettleDownAsync();
        var before = _store.Exchanges;
        await SettleDownAsync();
        Assert.That(_store.Exchanges, Is.EqualTo(before));
    }

    private static async Task<ProxyError?> TryAsync(Replica replica, Caller caller, Admitting.Slot? slot = null, string? body = null)
    {
        slot ??= new Admitting.Slot();

        // The limits are compiled once for each replica, as they are in processes of their own.
        caller = replica.Own(caller);
        ProxyError? error = replica.Admitting.Reserve(caller, slot, body);
        if (error is not null && slot.MayAsk)
        {
            await replica.Sharing.ExchangeAsync(CancellationToken.None);
            error = replica.Admitting.Reserve(caller, slot, body);
        }

        return error;
    }

    private async Task ExchangeAllAsync()
    {
        foreach (Replica replica in _replicas)
        {
            await replica.Sharing.ExchangeAsync(CancellationToken.None);
        }
    }

    private async Task SettleDownAsync()
    {
        for (var i = 0; i < 40; i++)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
            await ExchangeAllAsync();
        }
    }

    private sealed class Replica(LimitSharing sharing, FakeTimeProvider clock)
    {
        private readonly Dictionary<Caller, Caller> _callers = [];

        public LimitSharing Sharing { get; } = sharing;

        public Admitting Admitting { get; } = new(clock: clock, sharing: sharing);

        public Caller Own(Caller caller) => _callers.TryGetValue(caller, out Caller? own)
            ? own
            : _callers[caller] = new Caller(caller.Id, caller.Group, [], false) { Own = caller.Own, Pool = caller.Pool };
    }
}
