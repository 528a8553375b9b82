using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

/// <summary>What a replica holds of a shared limit is there for others as soon as it does not need it.</summary>
internal sealed class HeldSliceTests : SharedLimitFixture
{
    /// <summary>Else a moment without the store keeps from the others, until its time ends, what nobody uses.</summary>
    [Test]
    public async Task What_a_replica_lets_go_while_theStore_is_away_is_let_go_when_it_is_back()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Day = Limit * 0.003m } });
        var slot = new Admitting.Slot();
        Assert.That(await TryAsync(Replicas[0], caller, slot), Is.Null);
        Clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
        await ExchangeAllAsync();
        slot.Lease.GiveBack();
        Store.IsDown = true;
        await SettleDownAsync(exchanges: 10);
        Store.IsDown = false;
        await SettleDownAsync(exchanges: 1);
        Assert.That(await AdmittedAsync(Replicas[1], caller), Is.EqualTo(Limit));
    }

    /// <summary>Who waited was served by another's end and not by the store, which was asked for nothing: nobody waits any more all the same.</summary>
    [Test]
    public async Task What_was_wanted_and_came_by_itself_is_not_kept_from_the_others()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { Concurrent = Limit });
        List<Admitting.Slot> slots = [.. Enumerable.Range(0, Limit / 2).Select(static _ => new Admitting.Slot())];
        Assert.That(slots.Select(slot => Reserve(Replicas[0], caller, slot)), Is.All.Not.Null);
        await Replicas[0].Sharing.ExchangeAsync(CancellationToken.None);
        Assert.That(slots.Select(slot => Reserve(Replicas[0], caller, slot)), Is.All.Null);
        var waiting = new Admitting.Slot();
        Assert.That(Reserve(Replicas[0], caller, waiting), Is.Not.Null);
        Assert.That(waiting.MayAsk);
        slots.ForEach(static slot => slot.Lease.GiveBack());
        await SettleDownAsync(exchanges: 10);
        Assert.That(await AdmittedAsync(Replicas[1], caller), Is.EqualTo(Limit));
    }

    [Test]
    public async Task What_a_replica_holds_ends_with_its_time()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Total = 1 } });
        await TryAsync(Replicas[0], caller);
        Clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
        await ExchangeAllAsync();
        Store.IsDown = true;
        Assert.That(await TryAsync(Replicas[0], caller), Is.Null);
        Clock.Advance(TimeSpan.FromSeconds(LimitSharing.ExpirySeconds + 1));
        Assert.That(await TryAsync(Replicas[0], caller), Is.Not.Null, "others may have it by now");
    }

    /// <summary>Right after the answer, and with places kept ready for the next.</summary>
    [Test]
    public async Task Who_stops_tells_what_it_has_used_and_keeps_nothing()
    {
        Caller budget = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Month = 0.008m } });
        var running = new Admitting.Slot();
        for (var i = 0; i < 2; i++)
        {
            Assert.That(await TryAsync(Replicas[0], budget, running), Is.Null);
            running.Lease.Settle(10, 0.001m);
            Clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
            await Replicas[0].Sharing.ExchangeAsync(CancellationToken.None);
        }

        Assert.That(await TryAsync(Replicas[0], budget, running), Is.Null);
        running.Lease.Settle(10, 0.003m);
        await Replicas[0].Sharing.StopAsync(CancellationToken.None);
        var exchanges = Store.Exchanges;
        await Replicas[0].Sharing.StopAsync(CancellationToken.None);
        Assert.That(Store.Exchanges, Is.EqualTo(exchanges));

        Assert.That(await TryAsync(Replicas[1], budget), Is.Null, "0.003 dollars are left, to the last");
        ProxyError error = (await TryAsync(Replicas[1], budget))!;
        Assert.That(error.Message, Does.Contain("0.005 of 0.008 USD are used"));
    }

    [Test]
    public async Task Who_stops_waits_for_noStore_that_is_away()
    {
        await TryAsync(Replicas[0], Admitting.CallerOf(new KeyOptions { Concurrent = 8 }));
        Store.IsDown = true;
        await Replicas[0].Sharing.StopAsync(CancellationToken.None);
        Store.IsDown = false;
    }

    [Test]
    public async Task Nobody_who_is_idle_asks()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { Concurrent = 4, Budget = new BudgetOptions { Month = 1 } });
        var slot = new Admitting.Slot();
        await TryAsync(Replicas[0], caller, slot);
        slot.Lease.Settle(10, 0.001m);
        await SettleDownAsync();
        var before = Store.Exchanges;
        await SettleDownAsync();
        Assert.That(Store.Exchanges, Is.EqualTo(before));
    }

    /// <summary>Its successor would ask for the same under the same name: the store takes each but once, and would refuse both for ever.</summary>
    [Test]
    public async Task What_the_store_has_not_heard_yet_is_not_forgotten()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { Concurrent = 4 });
        var slot = new Admitting.Slot();
        Assert.That(await TryAsync(Replicas[0], caller, slot), Is.Null);
        Store.IsDown = true;
        slot.Lease.GiveBack();
        await SettleDownAsync(exchanges: 10);
        Meters meters = Replicas[0].Admitting.Meters;
        Assert.That(meters.Find("key/anna")!.TryForget(meters.Now().At(Calendar.Utc)), Is.False);
        Store.IsDown = false;
        await SettleDownAsync(exchanges: 10);
        Assert.That(meters.Find("key/anna")!.TryForget(meters.Now().At(Calendar.Utc)));
    }

    [Test]
    public async Task After_a_long_time_without_the_store_it_is_told_a_part_at_a_time()
    {
        Store.IsDown = true;
        for (int i = 0; i < 2500; i++)
        {
            Assert.That(Reserve(Replicas[0], Admitting.CallerOf(new KeyOptions { Concurrent = 4 }, id: $"key-{i}"), new Admitting.Slot()), Is.Not.Null);
        }

        await ExchangeAllAsync();
        Store.IsDown = false;
        await ExchangeAllAsync();
        Assert.That((Store.Largest, Store.Most.Count), Is.EqualTo((1000, 2500)));
    }
}
