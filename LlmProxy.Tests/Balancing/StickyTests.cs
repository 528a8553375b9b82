using LlmProxy.Core.Endpoints;
using NUnit.Framework;

namespace LlmProxy.Tests.Balancing;

internal sealed class StickyTests
{
    private const int Many = 10_000;

    [Test]
    public void By_key_a_caller_stays_on_one_arm_and_callers_spread_by_weight()
    {
        var choosing = Sticky("Key", (9, null), (1, null));
        var arms = Enumerable.Range(0, Many).Select(i => choosing.Name(caller: Choosing.CallerOf($"key-{i}"))).ToArray();
        Assert.That(Enumerable.Range(0, Many).Select(i => choosing.Name(caller: Choosing.CallerOf($"key-{i}"))), Is.EqualTo(arms));
        Assert.That(arms.Count(a => a == "b") / (double)Many, Is.EqualTo(0.1).Within(0.02));
    }

    [Test]
    public void Arms_are_the_same_in_another_process_and_after_a_restart()
    {
        Assert.That(string.Concat(Enumerable.Range(0, 16).Select(i => Sticky("Key", (1, null), (1, null)).Name(caller: Choosing.CallerOf($"key-{i}")))),
            Is.EqualTo("ababbaaabbbabaaa"), "written down: a change of the hash moves everybody once");
    }

    [Test]
    public void When_an_arm_leaves_only_its_callers_move_and_they_come_back()
    {
        var choosing = Sticky("Key", (2, null), (1, null), (1, null));
        var before = Arms(choosing);
        choosing.TakeOut("b");
        var without = Arms(choosing);
        Assert.That(before.Zip(without).Where(p => p.First != "b"), Is.All.Matches<(string First, string Second)>(p => p.First == p.Second));
        Assert.That(before.Zip(without).Where(p => p.First == "b").Select(p => p.Second).Distinct(), Is.EquivalentTo(new[] { "a", "c" }), "and they spread");
        choosing.Clock.Advance(TimeSpan.FromMinutes(2));
        choosing.StateOf("b").Answered(Choosing.Model, Core.Balancing.Clock.Ms(choosing.Clock));
        Assert.That(Arms(choosing), Is.EqualTo(before));
    }

    [TestCase("""{"model":"m","user":"USER"}""", Operations.Chat)]
    [TestCase("""{"user":"USER","model":"m","messages":[]}""", Operations.Chat)]
    [TestCase("""{"model":"m","safety_identifier":"USER"}""", Operations.Responses)]
    [TestCase("""{"model":"m","metadata":{"x":[1],"user_id":"USER"}}""", Operations.Messages)]
    public void By_user_the_end_user_decides_wherever_the_API_has_it(string body, Operations operation)
    {
        var choosing = Sticky("User", (1, null), (1, null));
        string Arm(int user) => choosing.Name(body.Replace("USER", $"user-{user}", StringComparison.Ordinal), operation: operation);
        var arms = Enumerable.Range(0, 1000).Select(Arm).ToArray();
        Assert.That(Enumerable.Range(0, 1000).Select(Arm), Is.EqualTo(arms));
        Assert.That(arms.Count(a => a == "a"), Is.EqualTo(500).Within(50));
        Assert.That(Enumerable.Range(0, 1000).Count(i => choosing.Name(body.Replace("USER", $"user-{i}", StringComparison.Ordinal), Choosing.CallerOf("another"), operation) != arms[i]),
            Is.EqualTo(500).Within(50), "the same name at another caller is another user");
    }

    [Test]
    public void By_header_its_value_decides()
    {
        var choosing = Sticky("Header:x-tenant", (1, null), (1, null));
        string Arm(int tenant) => choosing.Name(headers: ("X-Tenant", $"t{tenant}"));
        var arms = Enumerable.Range(0, 1000).Select(Arm).ToArray();
        Assert.That(Enumerable.Range(0, 1000).Select(Arm), Is.EqualTo(arms));
        Assert.That(arms.Count(a => a == "a"), Is.EqualTo(500).Within(50));
    }

    [TestCase("User")]
    [TestCase("Header:x-tenant")]
    public void Who_says_nothing_of_it_gets_a_new_choice_each_time(string sticky)
    {
        var shares = Sticky(sticky, (3, null), (1, null)).Count(Many);
        Assert.That(shares["a"] / (double)Many, Is.EqualTo(0.75).Within(0.02));
    }

    [Test]
    public void Sticky_alone_makes_the_choice_a_weighted_one() =>
        Assert.That(Arms(Sticky("Key", (null, null), (null, null))).Distinct(), Is.EquivalentTo(new[] { "a", "b" }));

    private static string[] Arms(Choosing choosing) => [.. Enumerable.Range(0, 2000).Select(i => choosing.Name(caller: Choosing.CallerOf($"key-{i}")))];

    private static Choosing Sticky(string sticky, params (int?, int?)[] targets) => new(targets, (options, model) =>
    {
        model.Sticky = sticky;
        options.Upstreams["a"].Operations.Add("+messages");
        options.Upstreams["b"].Operations.Add("+messages");
    });
}
