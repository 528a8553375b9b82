using LlmProxy.Core.Balancing;
using NUnit.Framework;

namespace LlmProxy.Tests.Balancing;

[TestFixture]
internal sealed class HedgeBudgetTests
{
    [TestCase(5, 1000, 51)]
    [TestCase(50, 100, 51)]
    [TestCase(100, 10, 10)]
    public void As_many_are_given_as_the_share_says_and_one_on_top(int percent, int requests, int given)
    {
        var budget = new HedgeBudget();
        var taken = 0;
        for (var i = 0; i < requests; i++)
        {
            budget.Count(percent);
            taken += budget.TryTake() ? 1 : 0;
        }

        // At 100 percent each request gets its own, and the one on top is left.
        Assert.That(taken, Is.EqualTo(given));
    }

    [Test]
    public void Ten_can_be_saved_and_no_more()
    {
        var budget = new HedgeBudget();
        for (var i = 0; i < 100_000; i++)
        {
            budget.Count(5);
        }

        Assert.That(Enumerable.Range(0, 100).Count(_ => budget.TryTake()), Is.EqualTo(10));
    }

    [Test]
    public void What_is_given_back_can_be_taken_again()
    {
        var budget = new HedgeBudget();
        Assert.That((budget.TryTake(), budget.TryTake()), Is.EqualTo((true, false)));
        budget.GiveBack();
        Assert.That((budget.TryTake(), budget.TryTake()), Is.EqualTo((true, false)));
    }

    [Test]
    public void Threads_that_take_at_once_get_no_more_than_there_is()
    {
        var budget = new HedgeBudget();
        for (var i = 0; i < 20; i++)
        {
            budget.Count(50);
        }

        var taken = 0;
        Parallel.For(0, 1000, _ =>
        {
            if (budget.TryTake())
            {
                Interlocked.Increment(ref taken);
            }
        });
        Assert.That(taken, Is.EqualTo(10));
    }
}
