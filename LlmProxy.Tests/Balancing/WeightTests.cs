using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Balancing;

internal sealed class WeightTests
{
    private const int Requests = 20_000;

    [Test]
    public void Shares_follow_the_weights_within_two_percent()
    {
        var shares = new Choosing([(5, null), (3, null), (1, null), (1, null)]).Count(Requests);
        AssertShare(shares, "a", 0.5);
        AssertShare(shares, "b", 0.3);
        AssertShare(shares, "c", 0.1);
        AssertShare(shares, "d", 0.1);
    }

    [Test]
    public void Weight_0_is_asked_only_when_all_others_of_its_priority_are_out()
    {
        var choosing = new Choosing([(0, 0), (1, 0), (1, 0), (1, 1)]);
        Assert.That(choosing.Count(2000).Keys, Is.EquivalentTo(new[] { "b", "c" }));
        Assert.That(Choosing.Order(choosing.Select()), Is.EqualTo("bcad").Or.EqualTo("cbad"), "by failover: weight 0 last of its priority, then the next priority");
        choosing.TakeOut("b");
        Assert.That(choosing.Count(200).Keys, Is.EquivalentTo(new[] { "c" }));
        choosing.TakeOut("c");
        Assert.That(choosing.Count(200).Keys, Is.EquivalentTo(new[] { "a" }));
    }

    [TestCase(TargetBalance.Weighted)]
    [TestCase(TargetBalance.LeastLoaded)]
    [TestCase(TargetBalance.Affinity)]
    public void A_lower_priority_is_asked_until_it_is_out_as_a_whole(TargetBalance balance)
    {
        var choosing = new Choosing([(1, 7), (1, 2), (1, 2)], (_, model) => model.Balance = balance);
        Assert.That(choosing.Count(1000).Keys, Is.SubsetOf(new[] { "b", "c" }));
        choosing.TakeOut("b");
        Assert.That(choosing.Count(100).Keys, Is.EquivalentTo(new[] { "c" }));
        choosing.TakeOut("c");
        Assert.That(choosing.Count(100).Keys, Is.EquivalentTo(new[] { "a" }));
    }

    [Test]
    public void Without_weights_or_priorities_the_order_decides()
    {
        var choosing = new Choosing(Choosing.Plain(3));
        Assert.That(choosing.Count(100).Keys, Is.EquivalentTo(new[] { "a" }));
        Assert.That(Choosing.Order(choosing.Select()), Is.EqualTo("abc"));
    }

    [Test]
    public void Only_upstreams_with_every_tag_of_the_caller_are_asked_failovers_included()
    {
        var choosing = new Choosing(Choosing.Plain(4), (options, _) =>
        {
            options.Upstreams["a"].Tags.Add("eu");
            options.Upstreams["b"].Tags.Add("eu");
            options.Upstreams["b"].Tags.Add("gpu");
            options.Upstreams["d"].Tags.Add("gpu");
            options.Upstreams["d"].Tags.Add("eu");
        });
        Assert.That(Choosing.Order(choosing.Select(caller: Choosing.CallerOf("x", "eu", "gpu"))), Is.EqualTo("bd"));
        Assert.That(Choosing.Order(choosing.Select(caller: Choosing.CallerOf("x", "eu"))), Is.EqualTo("abd"));
        Assert.That(Choosing.Order(choosing.Select()), Is.EqualTo("abcd"));
        Assert.That(choosing.TrySelect(caller: Choosing.CallerOf("x", "EU")), Is.Null, "tags are compared exactly");
        choosing.TakeOut("b");
        choosing.TakeOut("d");
        var selection = choosing.Select(caller: Choosing.CallerOf("x", "eu", "gpu"));
        Assert.That((selection.Next(out _), selection.Forced(), selection.HasNext()), Is.EqualTo(((Candidate?)null, (Candidate?)null, false)));
    }

    [Test]
    public void A_request_that_is_too_long_goes_to_larger_windows_only()
    {
        var choosing = new Choosing(Choosing.Plain(4), (_, model) =>
        {
            (model.Targets[0].Context, model.Targets[1].Context, model.Targets[2].Context) = (8000, 4000, 128_000);
            model.Context = 8000;
        });
        var selection = choosing.Select();
        var first = selection.Next(out _)!;
        Assert.That(first.Target.Upstream.Name, Is.EqualTo("a"));
        Assert.That(selection.HasLarger(first.Target));
        selection.KeepLarger(first.Target);
        Assert.That(selection.NextLarger(out _, out _)?.Target.Upstream.Name, Is.EqualTo("c"));
        Assert.That(selection.Next(out _), Is.Null, "no smaller one is left to be asked");
    }

    [Test]
    public async Task Where_all_are_full_the_shorter_queue_is_joined()
    {
        var choosing = new Choosing([(1, null), (1, null)], (options, _) => options.Upstreams["a"].Concurrent = options.Upstreams["b"].Concurrent = 1);
        Assert.That(choosing.StateOf("a").Places.TryEnter() && choosing.StateOf("b").Places.TryEnter());
        using var gone = new CancellationTokenSource();
        var waiting = choosing.StateOf("a").Places.EnterAsync("x", gone.Token).AsTask();
        var selection = choosing.Select();
        Assert.That((selection.Next(out var standing)!.Target.Upstream.Name, standing), Is.EqualTo(("b", Standing.Full)));
        await gone.CancelAsync();
        Assert.ThrowsAsync<TaskCanceledException>(() => waiting);
    }

    [Test]
    public void An_answer_to_an_earlier_request_does_not_end_a_pause_that_was_asked_for()
    {
        var choosing = new Choosing(Choosing.Plain(2));
        var now = Clock.Ms(choosing.Clock);
        choosing.StateOf("a").Failed(Choosing.Model, Core.Protocol.ProxyErrors.AuthError with { Cause = Core.Protocol.FailureCause.RateLimited, CoolForMs = 30_000, IsPauseAsked = true }, now);
        Assert.That(choosing.Name(), Is.EqualTo("b"));
        choosing.StateOf("a").Answered(Choosing.Model, now);
        Assert.That(choosing.Name(), Is.EqualTo("b"), "it answered what was sent before");
        choosing.Clock.Advance(TimeSpan.FromSeconds(31));
        Assert.That(choosing.Name(), Is.EqualTo("a"));
    }

    private static void AssertShare(Dictionary<string, int> shares, string name, double share) =>
        Assert.That(shares[name] / (double)Requests, Is.EqualTo(share).Within(0.02), name);
}
