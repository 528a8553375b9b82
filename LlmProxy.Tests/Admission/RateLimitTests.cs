using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

/// <summary>Requests and tokens of any minute, and requests at one time.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class RateLimitTests
{
    private readonly Admitting _admitting = new();

    [Test]
    public void Who_has_begun_so_many_requests_is_told_when_the_next_may()
    {
        var caller = Admitting.CallerOf(new KeyOptions { RequestsPerMinute = 2 });
        _admitting.Enter(caller);
        _admitting.Clock.Advance(TimeSpan.FromSeconds(20));
        _admitting.Enter(caller);
        ProxyError error = _admitting.Reserve(caller)!;
        Assert.That((error.Status, error.Code, error.IsFinal), Is.EqualTo((429, "rate_limit_exceeded", false)));
        Assert.That(error.Message, Is.EqualTo("Your key's limit of 2 requests a minute is reached. It frees up in 41 s."));
        Assert.That(error.RetryAfterMs, Is.EqualTo(41_000));
        _admitting.Clock.Advance(TimeSpan.FromSeconds(41));
        Assert.That(_admitting.Reserve(caller), Is.Null);
        Assert.That(_admitting.Reserve(caller), Is.Not.Null);
    }

    /// <summary>A window that begins anew at fixed times would let twice as many through around them.</summary>
    [Test]
    [Category("S23")]
    public void S23_no_minute_wherever_it_begins_has_more_than_the_limit()
    {
        var caller = Admitting.CallerOf(new KeyOptions { RequestsPerMinute = 10 });
        var random = new Random(7);
        var admitted = new List<DateTimeOffset>();
        for (var i = 0; i < 5000; i++)
        {
            _admitting.Clock.Advance(TimeSpan.FromMilliseconds(random.Next(1, 4000)));
            if (_admitting.Reserve(caller) is null)
            {
                admitted.Add(_admitting.Clock.GetUtcNow());
            }
        }

        for (var i = 10; i < admitted.Count; i++)
        {
            Assert.That(admitted[i] - admitted[i - 10], Is.GreaterThanOrEqualTo(TimeSpan.FromMinutes(1)));
        }

        // And hardly fewer: something counts for up to a second more than a minute.
        var minutes = (admitted[^1] - admitted[0]).TotalMinutes;
        Assert.That(admitted, Has.Count.GreaterThan(minutes * 10 * 0.9));
    }

    [Test]
    public void Tokens_that_an_answer_did_not_use_are_free_again_at_once()
    {
        var caller = Admitting.CallerOf(new KeyOptions { TokensPerMinute = 4500 });
        Admitting.Slot first = _admitting.Enter(caller);
        _admitting.Enter(caller);
        ProxyError error = _admitting.Reserve(caller)!;
        Assert.That(error.Message, Is.EqualTo(
            "Your key's limit of 4500 tokens a minute has no room for this request: 4000 are taken, and it needs about 2000. It frees up in 61 s."));
        Assert.That(error.RetryAfterMs, Is.EqualTo(60_000));
        first.Lease.Settle(500, null);
        Assert.That(_admitting.Reserve(caller), Is.Null);
        Assert.That(_admitting.Reserve(caller), Is.Not.Null);
    }

    [Test]
    public void Tokens_beyond_the_estimate_count_even_if_they_come_after_the_minute_has_passed()
    {
        var caller = Admitting.CallerOf(new KeyOptions { TokensPerMinute = 4500 });
        Admitting.Slot slot = _admitting.Enter(caller);
        _admitting.Clock.Advance(TimeSpan.FromMinutes(5));
        slot.Lease.Settle(9000, null);
        Assert.That(_admitting.Reserve(caller), Is.Not.Null);
        _admitting.Clock.Advance(TimeSpan.FromSeconds(61));
        Assert.That(_admitting.Reserve(caller), Is.Null);
    }

    [Test]
    public void A_request_that_is_larger_than_the_limit_is_told_that_waiting_does_not_help()
    {
        ProxyError error = _admitting.Reserve(Admitting.CallerOf(new KeyOptions { TokensPerMinute = 900 }))!;
        Assert.That((error.Status, error.Code, error.IsFinal), Is.EqualTo((429, "rate_limit_exceeded", true)));
        Assert.That(error.Message, Is.EqualTo("This request needs about 2000 tokens, and your key's limit is 900 a minute. Shorten it, or lower max_tokens."));
    }

    [Test]
    public void A_guess_that_is_larger_than_the_limit_keeps_nobody_out()
    {
        var caller = Admitting.CallerOf(new KeyOptions { TokensPerMinute = 1500 });
        Assert.That((_admitting.Reserve(caller), _admitting.Reserve(caller)?.IsFinal), Is.EqualTo(((ProxyError?)null, (bool?)false)));
    }

    [Test]
    public void A_place_is_free_when_a_request_has_ended_however_it_has()
    {
        var caller = Admitting.CallerOf(new KeyOptions { Concurrent = 1 });
        Admitting.Slot first = _admitting.Enter(caller);
        ProxyError error = _admitting.Reserve(caller)!;
        Assert.That(error.Message, Is.EqualTo("Your key's limit of 1 request at one time is reached. Try again when one has ended."));
        Assert.That((error.Status, error.RetryAfterMs), Is.EqualTo((429, 1000)));
        first.Lease.Settle(10, 0);
        Admitting.Slot second = _admitting.Enter(caller);
        second.Lease.GiveBack();
        second.Lease.GiveBack();
        second.Lease.Settle(10, 0);
        _admitting.Enter(caller);
        Assert.That(_admitting.Reserve(caller), Is.Not.Null);
    }

    /// <summary>The request's own place in the minute included.</summary>
    [Test]
    [Category("S23")]
    public void S23_what_was_refused_or_has_failed_counts_for_nothing()
    {
        var caller = Admitting.CallerOf(
            new KeyOptions { RequestsPerMinute = 3, TokensPerMinute = 1_000_000, Budget = new BudgetOptions { Day = 1 } },
            new GroupOptions { Concurrent = 1 });
        for (var i = 0; i < 50; i++)
        {
            Admitting.Slot slot = _admitting.Enter(caller);
            Assert.That(_admitting.Reserve(caller)!.Message, Does.StartWith("Your group's limit"));
            slot.Lease.GiveBack();
        }

        Assert.That(_admitting.Enter(caller).Lease.Rates().Requests.Remaining, Is.EqualTo(2));
    }

    [Test]
    public void What_no_sum_can_hold_uses_a_minute_up_and_never_makes_room()
    {
        var caller = Admitting.CallerOf(new KeyOptions { TokensPerMinute = 1_000_000 });
        Admitting.Slot[] slots = [.. Enumerable.Range(0, 60).Select(_ =>
        {
            _admitting.Clock.Advance(TimeSpan.FromSeconds(1));
            return _admitting.Enter(caller);
        })];
        foreach (Admitting.Slot slot in slots)
        {
            slot.Lease.Settle(long.MaxValue, 0);
            Assert.That(_admitting.Reserve(caller)?.Code, Is.EqualTo("rate_limit_exceeded"));
        }

        _admitting.Clock.Advance(TimeSpan.FromSeconds(61));
        Assert.That(_admitting.Reserve(caller), Is.Null);
    }

    [Test]
    public void Of_several_limits_the_answer_names_the_nearest()
    {
        var caller = Admitting.CallerOf(
            new KeyOptions { RequestsPerMinute = 100, TokensPerMinute = 10_000 }, new GroupOptions { RequestsPerMinute = 5, TokensPerMinute = 1_000_000 });
        _admitting.Enter(caller);
        _admitting.Clock.Advance(TimeSpan.FromSeconds(21));
        Core.Admission.RateView rates = _admitting.Enter(caller).Lease.Rates();
        Assert.That((rates.Requests.Limit, rates.Requests.Remaining, rates.Requests.ResetSeconds), Is.EqualTo((5, 3, 61)));
        Assert.That((rates.Tokens.Limit, rates.Tokens.Remaining, rates.Tokens.ResetSeconds), Is.EqualTo((10_000, 6_000, 61)));
    }

    [Test]
    public void What_costs_no_tokens_is_counted_as_a_request_alone()
    {
        var caller = Admitting.CallerOf(new KeyOptions { RequestsPerMinute = 2, TokensPerMinute = 1, Budget = new BudgetOptions { Day = 0 } });
        Assert.That(_admitting.Reserve(caller, new Admitting.Slot(), operation: Core.Endpoints.Operations.CountTokens), Is.Null);
        Assert.That(_admitting.Reserve(caller, new Admitting.Slot(), operation: Core.Endpoints.Operations.CountTokens), Is.Null);
        Assert.That(_admitting.Reserve(caller, new Admitting.Slot(), operation: Core.Endpoints.Operations.CountTokens)!.Code, Is.EqualTo("rate_limit_exceeded"));
    }
}
