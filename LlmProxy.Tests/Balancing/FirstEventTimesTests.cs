using LlmProxy.Core.Balancing;
using NUnit.Framework;

namespace LlmProxy.Tests.Balancing;

[TestFixture]
internal sealed class FirstEventTimesTests
{
    [Test]
    public void Before_there_are_enough_nothing_is_said()
    {
        var times = new FirstEventTimes();
        for (var i = 1; i < FirstEventTimes.Least; i++)
        {
            times.Add(TimeSpan.FromSeconds(1));
        }

        Assert.That(times.Percentile(95), Is.Null);
        times.Add(TimeSpan.FromSeconds(1));
        Assert.That(times.Percentile(95), Is.Not.Null);
    }

    [Test]
    public void The_percentile_is_right_to_a_fifth_and_never_too_short()
    {
        var random = new Random(7);
        var times = new FirstEventTimes();
        var all = new List<double>();
        for (var i = 0; i < 900; i++)
        {
            var milliseconds = 50 * Math.Exp(2 * random.NextDouble());
            all.Add(milliseconds);
            times.Add(TimeSpan.FromMilliseconds(milliseconds));
        }

        all.Sort();
        var true95 = all[900 * 95 / 100];
        var found = times.Percentile(95)!.Value.TotalMilliseconds;
        Assert.That(found, Is.GreaterThanOrEqualTo(true95).And.LessThanOrEqualTo(true95 * 1.2));
    }

    [Test]
    public void What_is_new_outweighs_what_is_old()
    {
        var times = new FirstEventTimes();
        for (var i = 0; i < 5000; i++)
        {
            times.Add(TimeSpan.FromMilliseconds(100));
        }

        for (var i = 0; i < 2000; i++)
        {
            times.Add(TimeSpan.FromSeconds(10));
        }

        Assert.That(times.Percentile(50)!.Value.TotalSeconds, Is.EqualTo(10).Within(20).Percent);
    }

    [Test]
    public void Times_beyond_all_steps_count_as_the_shortest_and_the_longest()
    {
        var times = new FirstEventTimes();
        for (var i = 0; i < 50; i++)
        {
            times.Add(TimeSpan.Zero);
            times.Add(TimeSpan.FromDays(1));
        }

        Assert.That(times.Percentile(10)!.Value, Is.LessThan(TimeSpan.FromMilliseconds(2)));
        Assert.That(times.Percentile(95)!.Value, Is.GreaterThan(TimeSpan.FromMinutes(30)));
    }
}
