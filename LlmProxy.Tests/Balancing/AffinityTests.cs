using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Balancing;

internal sealed class AffinityTests
{
    private const int Keys = 4000;

    [Test]
    public void When_a_target_leaves_only_its_keys_move()
    {
        var choosing = Affine(5);
        var before = Homes(choosing);
        choosing.TakeOut("c");
        var after = Homes(choosing);
        var moved = before.Zip(after).Count(p => p.First != p.Second);
        Assert.That(moved, Is.EqualTo(before.Count(h => h == "c")));
        Assert.That(moved / (double)Keys, Is.LessThanOrEqualTo(0.2 + 0.02));
        Assert.That(after.GroupBy(h => h).Select(g => g.Count() / (double)Keys), Is.All.EqualTo(0.25).Within(0.03));
    }

    [Test]
    public void Keys_spread_by_weight()
    {
        var choosing = new Choosing([(3, null), (1, null)], (_, model) => model.Balance = TargetBalance.Affinity);
        Assert.That(Homes(choosing).Count(h => h == "a") / (double)Keys, Is.EqualTo(0.75).Within(0.02));
    }

    [Test]
    public void A_conversation_of_twenty_turns_stays_on_one_target_and_conversations_spread()
    {
        var choosing = Affine(4);
        var homes = new List<string>();
        for (var conversation = 0; conversation < 200; conversation++)
        {
            var turns = Enumerable.Range(1, 20).Select(turn => choosing.Name(Turn(conversation, turn))).Distinct().ToArray();
            Assert.That(turns, Has.Length.EqualTo(1));
            homes.Add(turns[0]);
        }

        Assert.That(homes.GroupBy(h => h).Select(g => g.Count()).ToList(), Has.Count.EqualTo(4).And.All.EqualTo(50).Within(20));
    }

    [Test]
    public void What_names_the_session_comes_before_the_cache_key_the_chat_the_response_and_the_content()
    {
        var choosing = Affine(16);
        (string Name, string Value)[] session = [("session_id", "s1")];
        (string Name, string Value)[] chat = [("X-OpenWebUI-Chat-Id", "c1")];
        var bySession = choosing.Name(Turn(1, 1), headers: session);
        Assert.That(choosing.Name(Turn(2, 1).Replace("\"tools\"", "\"prompt_cache_key\":\"k9\",\"tools\"", StringComparison.Ordinal), headers: [.. session, .. chat]), Is.EqualTo(bySession));
        var byKey = choosing.Name(KeyBody("k1", "x"));
        Assert.That(choosing.Name(KeyBody("k1", "y"), headers: chat), Is.EqualTo(byKey));
        var byChat = choosing.Name(Turn(1, 1), headers: chat);
        Assert.That(choosing.Name(Turn(2, 1).Replace("\"tools\"", "\"previous_response_id\":\"resp_1\",\"tools\"", StringComparison.Ordinal), headers: chat), Is.EqualTo(byChat));
        Assert.That(choosing.Name("""{"model":"m","previous_response_id":"resp_1","input":"a"}"""), Is.EqualTo(choosing.Name("""{"model":"m","previous_response_id":"resp_1","input":"b"}""")));
    }

    [Test]
    public void Sessions_are_each_callers_own_but_the_same_prompt_shares_a_cache()
    {
        var choosing = Affine(16);
        var callers = Enumerable.Range(0, 50).Select(i => Choosing.CallerOf($"caller-{i}")).ToArray();
        Assert.That(callers.Select(c => choosing.Name(Turn(1, 1), c)).Distinct().Count(), Is.EqualTo(1));
        Assert.That(callers.Select(c => choosing.Name(Turn(1, 1), c, headers: ("x-claude-code-session-id", "1"))).Distinct().Count(), Is.GreaterThan(8));
    }

    [Test]
    public void Load_stays_within_its_bound_and_what_overflows_goes_to_the_next_in_order()
    {
        var choosing = Affine(4);
        var pool = choosing.States.Of(choosing.Route);
        var first = choosing.Choose(Turn(1, 1));
        for (var i = 0; i < 400; i++)
        {
            // All of one conversation, as if it were the only one.
            choosing.Choose(Turn(1, i)).Load.Begin(streams: false);
            var mean = pool.Candidates.Sum(c => c.Load.Active) / 4.0;
            Assert.That(pool.Candidates.Max(c => c.Load.Active), Is.LessThanOrEqualTo(Math.Max(4, Math.Ceiling(1.25 * mean))));
        }

        Assert.That(first.Load.Active, Is.EqualTo(125));
        Enumerable.Range(0, 125).ToList().ForEach(_ => first.Load.Fail(streams: false));
        Assert.That(choosing.Choose(Turn(1, 1)), Is.SameAs(first), "it comes home when there is room");
    }

    [Test]
    public void Who_says_nothing_and_embeddings_go_by_load()
    {
        var choosing = Affine(2);
        choosing.States.Of(choosing.Route).Candidates[0].Load.Begin(streams: false);
        Assert.That(choosing.Count(50).Keys, Is.EquivalentTo(new[] { "b" }));
        Assert.That(choosing.Count(50, i => choosing.Name($$"""{"model":"m","input":"{{i}}"}""", operation: Operations.Embeddings)).Keys, Is.EquivalentTo(new[] { "b" }));
    }

    [Test]
    public void Without_cache_hits_affinity_is_given_up_for_a_while_and_tried_again()
    {
        var choosing = Affine(2);
        var home = choosing.Name(Turn(1, 1));
        for (var turn = 1; turn <= CacheYield.MostMisses; turn++)
        {
            Answer(choosing, Turn(1, turn), home, new Usage(5000, 0, 10));
            Assert.That(choosing.Count(20, _ => choosing.Name(Turn(1, turn))).Keys, Is.EquivalentTo(new[] { home }), "the first answer counts for nothing: nobody came back");
        }

        Answer(choosing, Turn(1, 21), home, new Usage(5000, 0, 10));
        Assert.That(choosing.Count(200, _ => choosing.Name(Turn(1, 22))).Keys, Is.EquivalentTo(new[] { "a", "b" }));
        choosing.Clock.Advance(TimeSpan.FromMinutes(11));
        Assert.That(choosing.Count(200, _ => choosing.Name(Turn(1, 23))).Keys, Is.EquivalentTo(new[] { home }));
    }

    [TestCase(5000, 4096, "a hit among them")]
    [TestCase(1000, 0, "too short to be cached")]
    [TestCase(5000, -1, "it does not say what is cached")]
    [TestCase(-1, -1, "it says nothing")]
    public void Affinity_stays_where_misses_prove_nothing(int input, int cached, string because)
    {
        var choosing = Affine(2);
        var home = choosing.Name(Turn(1, 1));
        for (var turn = 1; turn <= 100; turn++)
        {
            Answer(choosing, Turn(1, turn), home, turn % 15 == 0 || input < 5000 || cached < 0 ? new Usage(input, cached, 10) : new Usage(5000, 0, 10));
        }

        Assert.That(choosing.Count(100, _ => choosing.Name(Turn(1, 101))).Keys, Is.EquivalentTo(new[] { home }), because);
    }

    [Test]
    public void New_conversations_and_those_that_come_back_too_late_prove_nothing()
    {
        var choosing = Affine(2);
        for (var conversation = 0; conversation < 500; conversation++)
        {
            Answer(choosing, Turn(conversation, 1), choosing.Name(Turn(conversation, 1)), new Usage(5000, 0, 10));
        }

        choosing.Clock.Advance(TimeSpan.FromMinutes(6));
        for (var conversation = 0; conversation < 500; conversation++)
        {
            Answer(choosing, Turn(conversation, 2), choosing.Name(Turn(conversation, 2)), new Usage(5000, 0, 10));
        }

        Assert.That(choosing.States.Of(choosing.Route).Candidates.Select(c => c.Load.Cache.IsIdle(Clock.Ms(choosing.Clock))), Is.All.False);
    }

    private static void Answer(Choosing choosing, string body, string upstream, Usage usage) =>
        choosing.Select(body).Learn(upstream, Choosing.Model, usage);

    private static string[] Homes(Choosing choosing) => [.. Enumerable.Range(0, Keys).Select(i => choosing.Name(headers: ("session_id", $"{i}")))];

    private static string KeyBody(string key, string text) => $$"""{"model":"m","prompt_cache_key":"{{key}}","messages":[{"role":"user","content":"{{text}}"}]}""";

    private static string Turn(int conversation, int turn)
    {
        var more = string.Concat(Enumerable.Range(1, turn).Select(t => ",{\"role\":\"assistant\",\"content\":\"answer " + t + "\"},{\"role\":\"user\",\"content\":\"and " + t + "?\"}"));
        return """{"model":"m","messages":[{"role":"system","content":"You are an agent."},{"role":"user","content":"task """ + conversation
            + "\"}" + more + """],"tools":[{"type":"function","function":{"name":"f"}}]}""";
    }

    private static Choosing Affine(int targets) => new(Choosing.Plain(targets), (_, model) => model.Balance = TargetBalance.Affinity);
}
