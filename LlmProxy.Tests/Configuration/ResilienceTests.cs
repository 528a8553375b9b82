using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class ResilienceTests
{
    [Test]
    public void How_a_failing_slow_or_full_upstream_is_dealt_with_is_read()
    {
        var upstream = Written.Read(Written.Upstream("""
            "Kind": "OpenAI", "Tags": ["eu", "gpu"], "Concurrent": 64, "Queue": { "Requests": 7, "Wait": "3s" },
            "Breaker": { "Requests": 9, "FailurePercent": 30, "Window": "20s", "OpenFor": "4s", "LongestOpen": "1m" },
            "Probe": { "Every": "11s", "Timeout": "2s", "Model": "tiny" }
            """)).Upstreams["a"];
        Assert.That(upstream.Tags, Is.EqualTo(new[] { "eu", "gpu" }));
        Assert.That((upstream.Concurrent, upstream.Queue.Requests, upstream.Queue.Wait), Is.EqualTo((64, 7, TimeSpan.FromSeconds(3))));
        var breaker = upstream.Breaker;
        Assert.That((breaker.Requests, breaker.FailurePercent), Is.EqualTo((9, 30)));
        Assert.That((breaker.Window, breaker.OpenFor, breaker.LongestOpen), Is.EqualTo((TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(4), TimeSpan.FromMinutes(1))));
        Assert.That((upstream.Probe!.Every, upstream.Probe.Timeout, upstream.Probe.Model), Is.EqualTo((TimeSpan.FromSeconds(11), TimeSpan.FromSeconds(2), "tiny")));
    }

    [Test]
    public void A_queue_for_places_that_nobody_counts_is_warned_of()
    {
        Assert.That(
            Written.Warned(Written.Upstream("\"Kind\": \"OpenAI\", \"Queue\": { \"Requests\": 5 }")),
            Is.EqualTo(new[] { "warn   line 2  Upstreams › a › Queue: is not used: without Concurrent no request waits for a place." }));
        Assert.That(Written.Warned(Written.Upstream("\"Kind\": \"OpenAI\", \"Concurrent\": 2, \"Queue\": { \"Requests\": 5 }")), Is.Empty);
    }

    [Test]
    public void What_is_not_written_has_its_default()
    {
        var upstream = Written.Read(Written.Upstream("\"Kind\": \"OpenAI\", \"Probe\": {}")).Upstreams["a"];
        Assert.That((upstream.Concurrent, upstream.Queue.Requests, upstream.Queue.Wait), Is.EqualTo((0, 1000, TimeSpan.FromSeconds(10))));
        var breaker = upstream.Breaker;
        Assert.That((breaker.Requests, breaker.FailurePercent), Is.EqualTo((5, 50)));
        Assert.That((breaker.Window, breaker.OpenFor, breaker.LongestOpen), Is.EqualTo((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(2))));
        Assert.That((upstream.Probe!.Every, upstream.Probe.Timeout, upstream.Probe.Model), Is.EqualTo((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(5), (string?)null)));
        Assert.That(Written.Read(Written.Upstream("\"Kind\": \"OpenAI\"")).Upstreams["a"].Probe, Is.Null, "nobody is asked unless that is wanted");
    }

    [Test]
    public void The_budget_of_failover_is_read()
    {
        var failover = Written.Read(Written.Root("\"Failover\": { \"FailOpen\": false, \"BudgetPercent\": 5, \"BudgetLeast\": 3 }")).Failover;
        Assert.That((failover.FailOpen, failover.BudgetPercent, failover.BudgetLeast), Is.EqualTo((false, 5, 3)));
        failover = Written.Read(Written.Root("\"Failover\": {}")).Failover;
        Assert.That((failover.FailOpen, failover.BudgetPercent, failover.BudgetLeast), Is.EqualTo((true, 20, 10)));
    }

    [TestCase("\"Tags\": [\"eu\", \"\"]", "Tags[1]: a tag has 1 to 100 characters on one line.")]
    [TestCase("\"Concurrent\": -1", "Concurrent: is out of range: 0 to 1000000.")]
    [TestCase("\"Queue\": { \"Requests\": -1 }", "Queue › Requests: is out of range: 0 to 1000000.")]
    [TestCase("\"Queue\": { \"Wait\": \"0s\" }", "Queue › Wait: is out of range: 1ms to 1h.")]
    [TestCase("\"Queue\": { \"Wait\": \"10\" }", "Queue › Wait: \"10\" needs a unit: \"10s\" or \"10ms\".")]
    [TestCase("\"Breaker\": { \"Requests\": 1 }", "Breaker › Requests: is out of range: 2 to 1000000.")]
    [TestCase("\"Breaker\": { \"FailurePercent\": 0 }", "Breaker › FailurePercent: is out of range: 1 to 100.")]
    [TestCase("\"Breaker\": { \"FailurePercent\": 101 }", "Breaker › FailurePercent: is out of range: 1 to 100.")]
    [TestCase("\"Breaker\": { \"Window\": \"499ms\" }", "Breaker › Window: is out of range: 500ms to 24h, or 0s to switch the breaker off.")]
    [TestCase("\"Breaker\": { \"OpenFor\": \"0s\" }", "Breaker › OpenFor: is out of range: 500ms to 24h.")]
    [TestCase("\"Breaker\": { \"OpenFor\": \"3m\" }", "Breaker › OpenFor: is longer than LongestOpen, which is 2m. Set both.")]
    [TestCase("\"Breaker\": { \"OpenFor\": \"90s\", \"LongestOpen\": \"45s\" }", "Breaker › OpenFor: is longer than LongestOpen, which is 45s. Set both.")]
    [TestCase("\"Breaker\": { \"LongestOpen\": \"25h\" }", "Breaker › LongestOpen: is out of range: OpenFor to 24h.")]
    [TestCase("\"Probe\": { \"Every\": \"999ms\" }", "Probe › Every: is out of range: 1s to 24h.")]
    [TestCase("\"Probe\": { \"Timeout\": \"6m\" }", "Probe › Timeout: is out of range: 1ms to 5m.")]
    [TestCase("\"Probe\": { \"Model\": \" \" }", "Probe › Model: the name of a model has 1 to 256 characters on one line.")]
    public void What_would_never_or_always_act_is_refused(string members, string problem)
    {
        Assert.That(
            Written.Refused(Written.Upstream("\"Kind\": \"OpenAI\", " + members)), Is.EqualTo(new[] { "error  line 2  Upstreams › a › " + problem }));
    }

    [TestCase("\"BudgetPercent\": -1", "BudgetPercent: is out of range: 0 to 1000.")]
    [TestCase("\"BudgetLeast\": -1", "BudgetLeast: is out of range: 0 to 1000000.")]
    public void A_budget_below_nothing_is_refused(string member, string problem)
    {
        Assert.That(Written.Refused(Written.Root($$"""  "Failover": { {{member}} } """)), Is.EqualTo(new[] { "error  line 2  Failover › " + problem }));
    }
}
