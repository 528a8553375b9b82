using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

/// <summary>Who is remembered, and who is not.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class MeterTests
{
    private readonly Admitting _admitting = new();

    /// <summary>Two threads whose readings of the clock cross midnight the other way round than they come to the lock.</summary>
    [Test]
    public void What_is_taken_of_a_day_that_is_over_stays_set_aside_in_no_other()
    {
        var pot = default(Pot);
        pot.Take(2, 100);
        pot.Take(1, 30);
        pot.Settle(1, 30, 20);
        Assert.That((pot.Used, pot.Reserved), Is.EqualTo((0L, 100L)));
        pot.Settle(2, 100, 40);
        Assert.That((pot.Used, pot.Reserved), Is.EqualTo((40L, 0L)));
    }

    [Test]
    public void End_users_who_hold_nothing_are_forgotten_and_those_who_spent_are_not()
    {
        Caller caller = Admitting.CallerOf(pool: new GroupOptions { EndUser = new EndUserOptions { Header = "X-User", RequestsPerMinute = 2, Budget = new BudgetOptions { Month = 1 } } });
        Ask("spender").Lease.Settle(10, 1);
        for (int i = 0; i < 30_000; i++)
        {
            Ask($"user-{i}").Lease.GiveBack();
            if (i % 1000 == 0)
            {
                _admitting.Clock.Advance(TimeSpan.FromSeconds(40));
            }
        }

        Assert.That(_admitting.Meters.Count, Is.LessThan(22_000));
        Assert.That(_admitting.Reserve(caller, new Admitting.Slot(), headers: ("X-User", "spender"))!.Message, Does.StartWith("Your budget for this month is used up: 1.00 of 1.00"));

        Admitting.Slot Ask(string user)
        {
            var slot = new Admitting.Slot();
            Assert.That(_admitting.Reserve(caller, slot, headers: ("X-User", user)), Is.Null);
            Assert.That(slot.Lease.EndUser, Is.EqualTo(user));
            return slot;
        }
    }

    /// <summary>Its meter is gone from the others, but a caller still has it: what it counts must be what others find.</summary>
    [Test]
    public void A_key_whose_meter_was_forgotten_goes_on_with_the_one_that_is_found()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { RequestsPerMinute = 2 });
        _admitting.Enter(caller).Lease.GiveBack();
        _admitting.Clock.Advance(TimeSpan.FromMinutes(10));
        FillMeters();
        Assert.That(_admitting.Meters.Find("key/anna"), Is.Null);
        _admitting.Enter(caller);
        Assert.That(_admitting.Meters.Find("key/anna")?.Look(Dimension.Requests, _admitting.Meters.Now().At(Calendar.Utc)).Taken, Is.EqualTo(1));
    }

    /// <summary>It has seen its meter alive and waits for its turn, and in that moment the meter is forgotten.</summary>
    [Test]
    public void A_request_that_meets_a_sweep_takes_of_the_meter_that_others_find()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { RequestsPerMinute = 2 });
        Meter former = _admitting.Admitter.LimitsOf(caller).Meter;
        ProxyError? error = ProxyErrors.Internal;
        var request = new Thread(() => error = _admitting.Reserve(caller));
        former.Enter();
        try
        {
            request.Start();
            SpinWait.SpinUntil(() => (request.ThreadState & ThreadState.WaitSleepJoin) != 0, 10_000);
            Assert.That(former.TryForget(_admitting.Meters.Now().At(Calendar.Utc)));
        }
        finally
        {
            former.Exit();
        }

        Assert.That(request.Join(10_000));
        Meter found = _admitting.Meters.Find("key/anna")!;
        Assert.That((error, found.IsForgotten, TakenOf(found, Dimension.Requests)), Is.EqualTo(((ProxyError?)null, false, 1L)));
    }

    /// <summary>Over midnight, so that none of its budget's window tells of it any more.</summary>
    [Test]
    public void What_a_long_request_has_set_aside_is_forgotten_by_nobody()
    {
        Caller caller = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Day = 1 } });
        Admitting.Slot slot = _admitting.Enter(caller);
        _admitting.Clock.Advance(TimeSpan.FromDays(3));
        FillMeters();
        Meter meter = _admitting.Meters.Find("key/anna")!;
        slot.Lease.Settle(10, 0.7m);
        Assert.That((meter.IsForgotten, TakenOf(meter, Dimension.Total)), Is.EqualTo((false, Money.FromDollars(0.7m))));
        Assert.That(meter.TryForget(_admitting.Meters.Now().At(Calendar.Utc)), Is.False, "it has spent something");
    }

    [Test]
    public void What_somebody_without_limits_spent_counts_though_the_meter_was_forgotten_meanwhile()
    {
        Caller caller = Admitting.CallerOf();
        Admitting.Slot slot = _admitting.Enter(caller);
        _admitting.Clock.Advance(TimeSpan.FromMinutes(10));
        FillMeters();
        Assert.That(_admitting.Meters.Find("key/anna"), Is.Null);
        slot.Lease.Settle(10, 0.7m);
        Assert.That(TakenOf(_admitting.Meters.Find("key/anna")!, Dimension.Total), Is.EqualTo(Money.FromDollars(0.7m)));
    }

    [Test]
    public void When_there_are_as_many_end_users_as_are_told_apart_those_who_are_gone_make_room()
    {
        Caller caller = Admitting.CallerOf(pool: new GroupOptions { EndUser = new EndUserOptions { Header = "X-User", RequestsPerMinute = 2 } });
        for (int i = 0; i < UserMeters.Most; i++)
        {
            Ask($"user-{i}");
        }

        Ask("late");
        Assert.That((_admitting.Meters.Find("user/team/late"), _admitting.Meters.Find("user/team/*") is not null), Is.EqualTo(((Meter?)null, true)));
        _admitting.Clock.Advance(TimeSpan.FromMinutes(10));
        Ask("later");
        Ask("latest");
        Assert.That((_admitting.Meters.Find("user/team/later") is not null, _admitting.Meters.Find("user/team/latest") is not null), Is.EqualTo((true, true)));

        void Ask(string user)
        {
            var slot = new Admitting.Slot();
            Assert.That(_admitting.Reserve(caller, slot, "{\"model\":\"m\",\"messages\":[]}", headers: ("X-User", user)), Is.Null);
            slot.Lease.Settle(1, 0);
        }
    }

    /// <summary>The ledger writes texts, of which half a character is none: its name for the user must be ours.</summary>
    [Test]
    public void An_end_user_s_long_name_is_never_cut_inside_a_character()
    {
        Caller caller = Admitting.CallerOf(pool: new GroupOptions { EndUser = new EndUserOptions { Header = "X-User", RequestsPerMinute = 2 } });
        var slot = new Admitting.Slot();
        Assert.That(_admitting.Reserve(caller, slot, headers: ("X-User", new string('x', 255) + "\U0001F600\U0001F600")), Is.Null);
        Assert.That(slot.Lease.EndUser, Is.EqualTo(new string('x', 255)));
        Assert.That(_admitting.Reserve(caller, slot, headers: ("X-User", new string('x', 254) + "\U0001F600\U0001F600")), Is.Null);
        Assert.That(slot.Lease.EndUser, Is.EqualTo(new string('x', 254) + "\U0001F600"));
    }

    [Test]
    public void Keys_of_a_group_share_what_is_known_of_its_limits_until_these_change()
    {
        Caller Of(string id, int requests, int each) =>
            Admitting.CallerOf(pool: new GroupOptions { RequestsPerMinute = requests, EndUser = new EndUserOptions { Header = "X-User", Concurrent = each } }, id: id);
        PoolLimits known = _admitting.Admitter.LimitsOf(Of("anna", 1, 5)).Pool!;
        Assert.That(_admitting.Admitter.LimitsOf(Of("ben", 1, 5)).Pool, Is.SameAs(known));
        Assert.That(_admitting.Admitter.LimitsOf(Of("ben", 1, 6)).Pool, Is.Not.SameAs(known), "another limit of each end user");

        Caller before = Of("anna", 1, 5), after = Of("anna", 2, 5);
        Assert.That((_admitting.Reserve(before), _admitting.Reserve(after)), Is.EqualTo(((ProxyError?)null, (ProxyError?)null)), "what was taken before counts for both");
        Assert.That((_admitting.Reserve(before)?.Status, _admitting.Reserve(after)?.Status), Is.EqualTo(((int?)429, (int?)429)));
    }

    [Test]
    public void A_key_s_models_are_remembered_after_any_number_of_them()
    {
        var recent = default(RecentModels);
        for (int i = 0; i < 40; i++)
        {
            ModelAnswers added = recent.Add(new ModelAnswers($"m{i}", new AllAnswers()));
            Assert.That(recent.Find($"m{i}"), Is.SameAs(added));
        }

        Assert.That(Enumerable.Range(0, 40).Where(i => recent.Find($"m{i}") is not null), Is.EqualTo(Enumerable.Range(24, 16)), "the newest, and no more than these");
    }

    [Test]
    [Category("P09")]
    public void What_the_ledger_says_was_spent_counts_in_its_windows_alone()
    {
        Meters meters = _admitting.Meters;
        meters.Add("key/anna", "2026-11-21", 5);
        meters.Add("key/anna", "2026-11-22", 1);
        meters.Add("key/anna", "2026-10", 7);
        meters.Add("key/anna", "2026-11", 2);
        meters.Add("key/anna", "total", 9.5m);
        meters.Add("key/anna", "total", -0.5m);
        Moment now = meters.Now().At(Calendar.Utc);
        Assert.That(
            (Spent(Dimension.Day), Spent(Dimension.Month), Spent(Dimension.Total)), Is.EqualTo((1m, 2m, 9m)));

        decimal Spent(Dimension dimension) => Money.ToDollars(meters.Of("key/anna").Look(dimension, now).Taken);
    }

    private long TakenOf(Meter meter, Dimension dimension) => meter.Look(dimension, _admitting.Meters.Now().At(Calendar.Utc)).Taken;

    /// <summary>So many others that those who hold nothing are forgotten.</summary>
    private void FillMeters()
    {
        for (int i = 0; i < 21_000; i++)
        {
            _admitting.Meters.Of($"key/{i}");
        }
    }
}
