using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Balancing;

internal sealed class LeastLoadedTests
{
    private const int Requests = 20_000;

    [TestCase(2)]
    [TestCase(20)]
    [TestCase(100)]
    public void A_target_ten_times_slower_does_not_slow_the_others(double perSecond)
    {
        var alone = new Traffic(Least(2), _ => 200, perSecond).Run(Requests);
        var three = new Traffic(Least(3), name => name == "c" ? 2000 : 200, perSecond).Run(Requests);
        Assert.That(three.Percentile99(), Is.LessThanOrEqualTo(1.2 * alone.Percentile99()));
        Assert.That(three.ShareOf("c"), Is.GreaterThan(0).And.LessThan(0.01));
        Assert.That(three.ShareOf("a"), Is.EqualTo(0.5).Within(0.05));
    }

    [TestCase(5)]
    [TestCase(50)]
    public void Who_was_slow_is_tried_again_and_gets_a_share_again(double perSecond)
    {
        var slow = true;
        var traffic = new Traffic(Least(3), name => name == "c" && slow ? 2000 : 200, perSecond).Run(2000);
        slow = false;
        traffic.Run(2000);
        traffic.Waits.Clear();
        traffic.Run(2000);
        Assert.That(traffic.ShareOf("c"), Is.EqualTo(1 / 3.0).Within(0.07));
    }

    [Test]
    public void While_it_is_tried_again_nobody_else_is_sent_there()
    {
        var choosing = Least(2);
        Tell(choosing, "a", 100);
        Tell(choosing, "b", 5000);
        for (var i = 0; i < 2000; i++)
        {
            choosing.Choose();
        }

        Assert.That(choosing.Count(100).Keys, Is.EquivalentTo(new[] { "a" }), "many choices alone do not make it worth a try");
        choosing.Clock.Advance(TimeSpan.FromMinutes(2));
        var tried = Enumerable.Range(0, 10).Select(_ => choosing.Choose()).First(c => c.Target.Upstream.Name == "b");
        tried.Load.Begin(streams: false);
        Assert.That(choosing.Count(100).Keys, Is.EquivalentTo(new[] { "a" }));
        tried.Load.PaceOf(streams: false).Spoke(10);
        tried.Load.End();
        Assert.That(choosing.Count(100).Keys, Is.EquivalentTo(new[] { "b" }), "what it was long ago is not mixed in");
    }

    [Test]
    public void Weights_shift_the_load()
    {
        var choosing = new Choosing([(3, null), (1, null)], (_, model) => model.Balance = TargetBalance.LeastLoaded);
        var traffic = new Traffic(choosing, _ => 200, 50).Run(Requests);
        Assert.That(traffic.ShareOf("a"), Is.EqualTo(0.75).Within(0.05));
    }

    [Test]
    public void Of_whom_nothing_is_known_no_better_is_thought_than_of_the_others()
    {
        var choosing = Least(2);
        var known = Tell(choosing, "a", 1000);
        Enumerable.Range(0, 5).ToList().ForEach(_ => known.Load.Begin(streams: false));
        var unknown = Of(choosing, "b");
        for (var sent = 0; sent < 5; sent++)
        {
            Assert.That(choosing.Name(), Is.EqualTo("b"));
            unknown.Load.Begin(streams: false);
        }

        choosing.Clock.Advance(TimeSpan.FromSeconds(10));
        known.Load.PaceOf(streams: false).Spoke(1000);
        Assert.That(choosing.Name(), Is.EqualTo("a"), "it has been silent for too long");
    }

    [Test]
    public void Whole_answers_are_not_compared_with_first_events()
    {
        var choosing = Least(2);
        Tell(choosing, "a", 9000);
        Tell(choosing, "b", 8000);
        Tell(choosing, "a", 100, streams: true);
        Tell(choosing, "b", 200, streams: true);
        Assert.That(choosing.Name(), Is.EqualTo("b"));
        Assert.That(choosing.Name("""{"model":"m","stream":true}"""), Is.EqualTo("a"));
    }

    [Test]
    public void A_failed_request_leaves_no_trace_in_the_load()
    {
        var load = Of(Least(1), "a").Load;
        load.Begin(streams: true);
        load.Fail(streams: true);
        Assert.That((load.Active, load.PaceOf(streams: true).Silence(1_000_000), load.PaceOf(streams: true).Latency(1_000_000)), Is.EqualTo((0, 0L, double.NaN)));
    }

    private static Candidate Of(Choosing choosing, string upstream) => choosing.States.Of(choosing.Route).Candidates.Single(c => c.Target.Upstream.Name == upstream);

    private static Candidate Tell(Choosing choosing, string upstream, double milliseconds, bool streams = false)
    {
        var candidate = Of(choosing, upstream);
        candidate.Load.Begin(streams);
        candidate.Load.PaceOf(streams).Spoke(milliseconds);
        candidate.Load.End();
        return candidate;
    }

    private static Choosing Least(int targets) => new(Choosing.Plain(targets), (_, model) => model.Balance = TargetBalance.LeastLoaded);
}
