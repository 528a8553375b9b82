using LlmProxy.Core.Balancing;
using NUnit.Framework;

namespace LlmProxy.Tests.Balancing;

internal sealed class SlidingBudgetTests
{
    [TestCase(0)]
    [TestCase(63_931_204_800_000, TestName = "It_holds_on_a_clock_that_counts_from_the_year_1")]
    public void It_holds_whatever_a_clock_counts_from(long now)
    {
        var budget = new SlidingBudget();
        Assert.That(budget.TryTake(now, 0, 1));
        Assert.That(budget.HasRoom(now, 0, 1), Is.False);
        Assert.That(budget.TryTake(now + 9_000, 0, 1), Is.False);
        budget.GiveBack(now + 9_000);
        Assert.That(budget.TryTake(now + 9_000, 0, 1));
        Assert.That(budget.TryTake(now + 19_000, 0, 1));
    }

    [Test]
    public void It_gives_a_share_of_the_requests_and_a_few_on_top()
    {
        var budget = new SlidingBudget();
        for (var i = 0; i < 50; i++)
        {
            budget.Count(1_000);
        }

        Assert.That(Take(budget, 1_000, 100), Is.EqualTo(20), "a fifth of 50, and 10");
        Assert.That(budget.HasRoom(1_000, 20, 10), Is.False);
        budget.GiveBack(1_000);
        Assert.That(Take(budget, 1_000, 100), Is.EqualTo(1));
    }

    [Test]
    public void It_looks_back_on_ten_seconds()
    {
        var budget = new SlidingBudget();
        budget.Count(500);
        Assert.That(Take(budget, 500, 5, least: 1), Is.EqualTo(1));
        Assert.That(Take(budget, 9_900, 5, least: 1), Is.Zero);
        Assert.That(Take(budget, 10_000, 5, least: 1), Is.EqualTo(1), "what was taken in the first second is forgotten");
        Assert.That(Take(budget, 3_600_000, 5, least: 1), Is.EqualTo(1), "after a long rest too");
    }

    [Test]
    public void Giving_back_what_was_taken_a_while_ago_or_never_does_no_harm()
    {
        var budget = new SlidingBudget();
        budget.GiveBack(0);
        Assert.That(Take(budget, 5_000, 5, least: 2), Is.EqualTo(2));
        budget.GiveBack(9_000);
        budget.GiveBack(9_000);
        budget.GiveBack(9_000);
        Assert.That(Take(budget, 9_000, 5, least: 2), Is.EqualTo(2));
    }

    [Test]
    public void However_many_come_at_once_no_one_too_many_gets_one()
    {
        var budget = new SlidingBudget();
        var taken = 0;
        Parallel.For(0, 20_000, i =>
        {
            if (budget.TryTake(1_000 + (i % 7), 20, 100))
            {
                Interlocked.Increment(ref taken);
            }
        });
        Assert.That(taken, Is.EqualTo(100));
    }

    [Test]
    public void A_clock_that_goes_back_a_second_breaks_nothing()
    {
        var budget = new SlidingBudget();
        budget.Count(20_000);
        budget.Count(9_000);
        Assert.That(Take(budget, 20_000, 5, least: 1), Is.EqualTo(1));
    }

    private static int Take(SlidingBudget budget, long now, int tries, int least = 10) =>
        Enumerable.Range(0, tries).Count(_ => budget.TryTake(now, 20, least));
}
