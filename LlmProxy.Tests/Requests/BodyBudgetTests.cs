using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using NUnit.Framework;

namespace LlmProxy.Tests.Requests;

internal sealed class BodyBudgetTests
{
    [Test]
    public void Takes_up_to_the_limit_and_not_a_byte_more()
    {
        var budget = new BodyBudget();
        Assert.That(budget.TryTake(60, 100));
        Assert.That(budget.TryTake(41, 100), Is.False);
        Assert.That(budget.Taken, Is.EqualTo(60));
        Assert.That(budget.TryTake(40, 100));
        budget.GiveBack(60);
        budget.GiveBack(0);
        Assert.That(budget.Taken, Is.EqualTo(40));
    }

    [Test]
    public void Fifty_requests_at_a_time_never_hold_more_than_the_limit_and_give_all_back()
    {
        const long Limit = 1_000;
        var budget = new BodyBudget();
        var limits = new LimitOptions { RequestBody = 100, AllRequestBodies = Limit };
        long held = 0;
        long most = 0;
        var refused = 0;
        Parallel.For(0, 50, new ParallelOptions { MaxDegreeOfParallelism = 50 }, worker =>
        {
            for (var i = 0; i < 400; i++)
            {
                var share = new BodyShare(budget, limits);
                var reached = 0;
                for (var length = 10 + ((worker + i) % 40); length <= 100 && share.Check(length) is null; length += 30)
                {
                    Keep(ref most, Interlocked.Add(ref held, length - reached));
                    reached = length;
                    Thread.Yield();
                }

                refused += reached == 0 ? 1 : 0;
                Interlocked.Add(ref held, -reached);
                share.GiveBackUnlessKept();
            }
        });
        Assert.That((budget.Taken, held), Is.EqualTo((0L, 0L)));
        Assert.That(most, Is.InRange(1, Limit));
        Assert.That(refused, Is.LessThan(50 * 400), "some get through");
    }

    [Test]
    public void A_share_grows_and_is_given_back_once()
    {
        var budget = new BodyBudget();
        var share = new BodyShare(budget, new LimitOptions { RequestBody = 100, AllRequestBodies = 150 });
        Assert.That(share.TryReach(40));
        Assert.That(share.Check(30), Is.Null);
        Assert.That((share.Taken, budget.Taken), Is.EqualTo((40L, 40L)));
        Assert.That(share.Check(100), Is.Null);
        Assert.That((share.Taken, budget.Taken), Is.EqualTo((100L, 100L)));
        Assert.That(share.Check(101)!.Code, Is.EqualTo("request_too_large"));
        Assert.That(new BodyShare(budget, new LimitOptions { RequestBody = 100, AllRequestBodies = 150 }).Check(51), Is.Not.Null.With.Property(nameof(ProxyError.Code)).EqualTo("overloaded"));
        share.GiveBackUnlessKept();
        Assert.That(budget.Taken, Is.Zero);
    }

    [Test]
    public void A_kept_share_is_its_holders()
    {
        var budget = new BodyBudget();
        var share = new BodyShare(budget, new LimitOptions { RequestBody = 100, AllRequestBodies = 150 });
        share.TryReach(100);
        share.IsKept = true;
        share.GiveBackUnlessKept();
        Assert.That(budget.Taken, Is.EqualTo(100));
        new RequestBody(default, null, budget, share.Taken).Release();
        Assert.That(budget.Taken, Is.Zero);
    }

    private static void Keep(ref long most, long value)
    {
        for (var seen = Volatile.Read(ref most); value > seen; seen = Volatile.Read(ref most))
        {
            if (Interlocked.CompareExchange(ref most, value, seen) == seen)
            {
                return;
            }
        }
    }
}
