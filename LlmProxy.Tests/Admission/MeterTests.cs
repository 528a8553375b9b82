using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

/// <summary>Who is remembered, and who is not.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class MeterTests
{
    private readonly Admitting _admitting = new();

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
        for (int i = 0; i < 21_000; i++)
        {
            _admitting.Meters.Of($"key/{i}");
        }

        Assert.That(_admitting.Meters.Find("key/anna"), Is.Null);
        _admitting.Enter(caller);
        Assert.That(_admitting.Meters.Find("key/anna")?.Look(Dimension.Requests, _admitting.Meters.Now().At(Calendar.Utc)).Taken, Is.EqualTo(1));
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
}
