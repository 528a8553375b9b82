using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

/// <summary>Money in calendar windows. A request of the tests may cost 0.003 dollars.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class BudgetTests
{
    private static readonly TimeZoneInfo _berlin = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");
    private readonly Admitting _admitting = new();

    [Test]
    public void A_budget_that_is_used_up_says_why_and_until_when()
    {
        Caller caller = Of(day: 40);
        _admitting.Enter(caller).Lease.Settle(10, 40.02m);
        ProxyError error = _admitting.Reserve(caller)!;
        Assert.That((error.Status, error.Code, error.Type, error.IsFinal), Is.EqualTo((429, "insufficient_quota", "insufficient_quota", true)));
        Assert.That(ErrorText.Compose(error, "platform@example.com"), Is.EqualTo(
            "Your budget for today is used up: 40.02 of 40.00 USD. It resets 2026-11-23 00:00 UTC. Ask platform@example.com."));
    }

    [Test]
    public void The_month_and_all_time_have_budgets_of_their_own()
    {
        Caller month = Of(day: 5, month: 1, id: "m");
        _admitting.Enter(month).Lease.Settle(10, 1);
        Assert.That(_admitting.Reserve(month)!.Message, Is.EqualTo("Your budget for this month is used up: 1.00 of 1.00 USD. It resets 2026-12-01 00:00 UTC."));
        Caller total = Of(total: 0.5m, id: "t");
        _admitting.Enter(total).Lease.Settle(10, 0.5m);
        Assert.That(_admitting.Reserve(total)!.Message, Is.EqualTo("Your budget is used up: 0.50 of 0.50 USD. It does not reset."));
        _admitting.Clock.Advance(TimeSpan.FromDays(10));
        Assert.That((_admitting.Reserve(month), _admitting.Reserve(total)?.Code), Is.EqualTo(((ProxyError?)null, "insufficient_quota")));
    }

    [Test]
    [Category("S27")]
    public void S27_the_last_cent_is_spent_once_and_what_is_not_used_is_there_again_to_the_billionth()
    {
        Caller caller = Of(day: 0.01m);
        Admitting.Slot[] running = [_admitting.Enter(caller), _admitting.Enter(caller), _admitting.Enter(caller)];
        ProxyError wait = _admitting.Reserve(caller)!;
        Assert.That((wait.Code, wait.IsFinal, wait.RetryAfterMs), Is.EqualTo(("insufficient_quota", false, 1000)));
        Assert.That(wait.Message, Does.StartWith("The rest of your budget for today is set aside for requests that are running: 0.00 of 0.01 USD are used, 0.009 USD set aside."));
        running[0].Lease.Settle(10, 0.000_000_001m);
        running[1].Lease.GiveBack();
        running[2].Lease.Settle(10, 0.003_999_999m);
        Assert.That(_admitting.CountAdmitted(caller), Is.EqualTo(2));
        ProxyError gone = _admitting.Reserve(Of(day: 0.002m))!;
        Assert.That(gone.Message, Is.EqualTo(
            "Your budget for today is used up: 0.004 of 0.002 USD. It resets 2026-11-23 00:00 UTC."));
    }

    [Test]
    public void A_request_that_costs_more_than_is_left_is_told_how_much()
    {
        Caller caller = Of(day: 1);
        _admitting.Enter(caller).Lease.Settle(10, 0.9985m);
        ProxyError error = _admitting.Reserve(caller)!;
        Assert.That(error.IsFinal);
        Assert.That(error.Message, Is.EqualTo(
            "Your budget for today has too little left for this request: 0.9985 of 1.00 USD are used, and it may cost 0.003 USD. It resets 2026-11-23 00:00 UTC."));
        Assert.That(_admitting.Reserve(caller, Admitting.Body(answer: 100)), Is.Null, "a shorter answer fits");
    }

    [Test]
    [Category("P16")]
    public void P16_a_request_that_runs_over_midnight_is_booked_to_the_day_it_was_admitted_once()
    {
        Caller caller = Of(day: 1, month: 10);
        Admitting.Slot slot = _admitting.Enter(caller);
        Assert.That((slot.Lease.KeyDay, slot.Lease.GroupDay), Is.EqualTo((new DateOnly(2026, 11, 22), new DateOnly(2026, 11, 22))));
        _admitting.Clock.Advance(TimeSpan.FromHours(12));
        Admitting.Slot other = _admitting.Enter(caller);
        slot.Lease.Settle(10, 1);
        slot.Lease.Settle(10, 1);
        Assert.That(other.Lease.KeyDay, Is.EqualTo(new DateOnly(2026, 11, 23)));
        Assert.That(Left(caller), Is.EqualTo((0m, 1m, 1m)), "nothing of today, once of this month");
    }

    [Test]
    public void A_day_begins_at_midnight_where_the_key_lives()
    {
        Caller caller = Of(day: 1, zone: _berlin);
        _admitting.Enter(caller).Lease.Settle(10, 1);
        Assert.That(_admitting.Reserve(caller)!.Message, Does.EndWith("It resets 2026-11-22 23:00 UTC."));
        _admitting.Clock.Advance(TimeSpan.FromHours(11) - TimeSpan.FromMilliseconds(1));
        Assert.That(_admitting.Reserve(caller), Is.Not.Null);
        _admitting.Clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.That(_admitting.Reserve(caller), Is.Null);
    }

    [TestCase("2026-03-29T12:00:00Z", "2026-03-29 22:00", TestName = "A_day_of_23_hours_ends_at_its_midnight")]
    [TestCase("2026-10-25T12:00:00Z", "2026-10-25 23:00", TestName = "A_day_of_25_hours_ends_at_its_midnight")]
    public void A_day_on_which_the_clock_is_changed(string now, string ends)
    {
        var calendar = new Core.Admission.Calendar(_berlin);
        DateTimeOffset at = DateTimeOffset.Parse(now, System.Globalization.CultureInfo.InvariantCulture);
        Assert.That(new DateTime(calendar.DayAt(at.UtcTicks).Ends).ToString("yyyy-MM-dd HH:mm", System.Globalization.CultureInfo.InvariantCulture), Is.EqualTo(ends));
    }

    [Test]
    public void A_month_ends_at_midnight_there_whatever_the_zone([Values("Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Havana", "Africa/Cairo", "Asia/Kathmandu")] string name)
    {
        TimeZoneInfo zone = TimeZoneInfo.FindSystemTimeZoneById(name);
        var calendar = new Core.Admission.Calendar(zone);
        for (var at = new DateTime(2026, 1, 1, 0, 7, 0, DateTimeKind.Utc); at.Year == 2026; at = at.AddHours(7))
        {
            Core.Admission.CivilDay day = calendar.DayAt(at.Ticks);
            Assert.That(day.Date, Is.EqualTo(DateOnly.FromDateTime(TimeZoneInfo.ConvertTimeFromUtc(at, zone))));
            Assert.That(day.Holds(at.Ticks));
            DateTime end = calendar.EndOfMonth(day).UtcDateTime;
            Assert.That(TimeZoneInfo.ConvertTimeFromUtc(end, zone).Month, Is.EqualTo((day.Date.Month % 12) + 1));
            Assert.That(TimeZoneInfo.ConvertTimeFromUtc(end.AddTicks(-1), zone).Month, Is.EqualTo(day.Date.Month));
        }
    }

    [Test]
    public void A_changed_limit_applies_at_once_to_what_was_spent_before()
    {
        _admitting.Enter(Admitting.CallerOf()).Lease.Settle(10, 0.7m);
        Assert.That(_admitting.Reserve(Of(day: 0.5m))!.Message, Does.StartWith("Your budget for today is used up: 0.70 of 0.50 USD."), "even if there was none");
        Assert.That(_admitting.Reserve(Of(day: 1)), Is.Null);
        Assert.That(_admitting.Reserve(Of(day: 0.7m))!.IsFinal);
    }

    [Test]
    public void What_no_sum_can_hold_uses_a_budget_up_and_never_makes_room()
    {
        Caller caller = Of(day: 1_000_000);
        Admitting.Slot[] slots = [.. Enumerable.Range(0, 6).Select(_ => _admitting.Enter(caller))];
        foreach (Admitting.Slot slot in slots)
        {
            slot.Lease.Settle(10, decimal.MaxValue);
            Assert.That(_admitting.Reserve(caller)!.Message, Does.StartWith("Your budget for today is used up"));
        }
    }

    [Test]
    public void A_group_shares_its_budget_and_each_key_has_its_own()
    {
        var pool = new GroupOptions { Budget = new BudgetOptions { Day = 1 } };
        Caller anna = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Day = 0.6m } }, pool, "anna");
        Caller ben = Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Day = 0.6m } }, pool, "ben");
        _admitting.Enter(anna).Lease.Settle(10, 0.6m);
        Assert.That(_admitting.Reserve(anna)!.Message, Does.StartWith("Your budget for today is used up: 0.60 of 0.60"));
        _admitting.Enter(ben).Lease.Settle(10, 0.5m);
        Assert.That(_admitting.Reserve(ben)!.Message, Does.StartWith("Your group's budget for today is used up: 1.10 of 1.00"));
    }

    [Test]
    public void A_model_without_a_price_is_nothing_for_who_has_a_budget()
    {
        var admitting = new Admitting(options => options.Models["m"].Targets.Add(new TargetOptions { Upstream = "main", Model = "free" }));
        Assert.That(admitting.Reserve(Of(day: 1))!.Code, Is.EqualTo("model_unpriced"));
        Assert.That(admitting.Reserve(Admitting.CallerOf(new KeyOptions { TokensPerMinute = 10_000 })), Is.Null);
        admitting.Options.UnpricedModels = UnpricedModels.Allow;
        Assert.That(admitting.Reserve(Of(day: 1)), Is.Null);
    }

    [Test]
    public void The_dearest_target_that_may_be_asked_is_what_is_set_aside()
    {
        var admitting = new Admitting(options =>
        {
            options.Upstreams["dear"] = new UpstreamOptions { Kind = UpstreamKind.OpenAI, Url = new Uri("http://dear.example"), Tags = { "eu" } };
            options.Models["m"].Targets.Add(new TargetOptions { Upstream = "dear", Model = "up", Price = new PriceOptions { Input = 10, Output = 20 } });
        });
        Assert.That(admitting.CountAdmitted(Of(day: 0.09m)), Is.EqualTo(3));
    }

    private static Caller Of(decimal? day = null, decimal? month = null, decimal? total = null, string id = "anna", TimeZoneInfo? zone = null) =>
        Admitting.CallerOf(new KeyOptions { Budget = new BudgetOptions { Day = day, Month = month, Total = total } }, id: id, zone: zone);

    private (decimal Day, decimal Month, decimal Total) Left(Caller caller)
    {
        Core.Admission.CallerLimits limits = _admitting.Admitter.LimitsOf(caller);
        Core.Admission.Moment now = _admitting.Meters.Now().At(limits.Calendar);
        decimal Of(Core.Admission.Dimension dimension)
        {
            var (taken, reserved) = limits.Meter.Look(dimension, now);
            return Core.Admission.Money.ToDollars(taken - reserved);
        }

        return (Of(Core.Admission.Dimension.Day), Of(Core.Admission.Dimension.Month), Of(Core.Admission.Dimension.Total));
    }
}
