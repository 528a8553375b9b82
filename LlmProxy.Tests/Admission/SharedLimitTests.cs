using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

/// <summary>Several replicas admit together what one would.</summary>
internal sealed class SharedLimitTests : SharedLimitFixture
{
    private static readonly Dictionary<string, Func<KeyOptions>> _limits = new()
    {
        ["requests"] = () => new KeyOptions { RequestsPerMinute = Limit },
        ["tokens"] = () => new KeyOptions { TokensPerMinute = Limit * 2000L },
        ["concurrency"] = () => new KeyOptions { Concurrent = Limit },
        ["money"] = () => new KeyOptions { Budget = new BudgetOptions { Day = Limit * 0.003m } },
    };

    [Test]
    [Category("L10")]
    public async Task L10_threeReplicas_together_let_in_as_many_as_one_would([Values("requests", "tokens", "concurrency", "money")] string limit)
    {
        Caller caller = Admitting.CallerOf(_limits[limit]());
        var admitted = 0;

        // As they come: to one replica after the other, an exchange every now and then, more than three times as many as there is room for.
        for (var i = 0; i < 200; i++)
        {
            admitted += await TryAsync(Replicas[i % 3], caller) is null ? 1 : 0;
            if (i % 10 == 0)
            {
                await ExchangeAllAsync();
            }
        }

        // What one holds ready and does not use comes back to the others.
        for (var round = 0; round < 20; round++)
        {
            await ExchangeAllAsync();
            Clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
        }

        for (var i = 0; i < 30; i++)
        {
            admitted += await TryAsync(Replicas[0], caller) is null ? 1 : 0;
        }

        Assert.That(admitted, Is.EqualTo(Limit));
        Assert.That(Store.Most.Values, Is.All.LessThanOrEqualTo(limit switch { "tokens" => Limit * 2000m, "money" => Limit * 0.003m, _ => Limit }));
    }

    [Test]
    public async Task What_several_limits_lack_is_asked_for_at_once()
    {
        Caller caller = Admitting.CallerOf(
            new KeyOptions { RequestsPerMinute = 100, Concurrent = 10, Budget = new BudgetOptions { Day = 1, Month = 10 } },
            pool: new GroupOptions { Concurrent = 20, Budget = new BudgetOptions { Total = 100 } });
        Assert.That(await TryAsync(Replicas[0], caller), Is.Null, "its first request on this replica");
    }

    [Test]
    public async Task What_was_used_counts_for_all_and_what_was_not_is_there_again()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Day = 0.012m } });
        var slots = new List<Admitting.Slot>();
        for (var i = 0; i < 3; i++)
        {
            slots.Add(new Admitting.Slot());
            Assert.That(await TryAsync(Replicas[i], caller, slots[i]), Is.Null);
        }

        slots[0].Lease.GiveBack();
        slots[1].Lease.Settle(10, 0.010m);
        slots[2].Lease.GiveBack();
        await SettleDownAsync();
        ProxyError error = (await TryAsync(Replicas[0], caller))!;
        Assert.That(error.Message, Is.EqualTo(
            "Your budget for today has too little left for this request: 0.01 of 0.012 USD are used, and it may cost 0.003 USD. It resets 2026-11-23 00:00 UTC."));

        // What is too little for one is let go in a moment.
        Clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
        await ExchangeAllAsync();
        Assert.That(await TryAsync(Replicas[2], caller, body: Admitting.Body(answer: 100)), Is.Null);
    }

    [Test]
    public async Task A_replica_that_is_cut_off_lives_on_what_it_holds_and_then_refuses()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { RequestsPerMinute = 1000 });
        await TryAsync(Replicas[0], caller);
        Clock.Advance(TimeSpan.FromMilliseconds(LimitSharing.IntervalMs));
        await ExchangeAllAsync();
        Store.IsDown = true;
        var alone = 0;
        while (await TryAsync(Replicas[0], caller) is null)
        {
            alone++;
        }

        Assert.That(alone, Is.InRange(1, 1000 / 8));
        Store.IsDown = false;
        Assert.That(await TryAsync(Replicas[0], caller), Is.Null, "asking was worth while again");
    }

    [Test]
    public async Task Or_serves_everybody_if_that_is_wanted()
    {
        WhenCutOff = CutOffShare.Serve;
        Caller caller = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Total = 1 } });
        Store.IsDown = true;
        for (var i = 0; i < 1000; i++)
        {
            Assert.That(await TryAsync(Replicas[0], caller), Is.Null);
        }
    }

    [Test]
    public async Task Who_has_just_heard_that_there_is_no_more_does_not_ask_again()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { RequestsPerMinute = 1 });
        Assert.That(await TryAsync(Replicas[0], caller), Is.Null);
        await TryAsync(Replicas[0], caller);
        var before = Store.Exchanges;
        for (var i = 0; i < 100; i++)
        {
            Assert.That((await TryAsync(Replicas[0], caller))!.Message, Does.StartWith("Your key's limit of 1 requests a minute"));
        }

        Assert.That(Store.Exchanges - before, Is.LessThanOrEqualTo(1));
        Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.That(await TryAsync(Replicas[1], caller), Is.Null, "in the next minute");
        Assert.That(await TryAsync(Replicas[0], caller), Is.Not.Null);
    }

    /// <summary>Nothing of it is shared, and it is counted all the same: there may be a budget tomorrow.</summary>
    [Test]
    public async Task What_a_caller_without_limits_spends_counts_beside_shared_limits()
    {
        var slot = new Admitting.Slot();
        Assert.That(await TryAsync(Replicas[0], Admitting.CallerOf(), slot), Is.Null);
        await Task.Run(() => slot.Lease.Settle(10, 0.5m)).WaitAsync(TimeSpan.FromSeconds(10));
        Meters meters = Replicas[0].Admitting.Meters;
        Assert.That(meters.Find("key/anna")!.Look(Dimension.Total, meters.Now().At(Calendar.Utc)).Taken, Is.EqualTo(Money.FromDollars(0.5m)));
    }
}
