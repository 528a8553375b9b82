using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Routing;
using NUnit.Framework;

namespace LlmProxy.Tests.Routing;

internal sealed class RouteTableTests
{
    private static readonly Caller _anybody = new("anybody", null, [], false);

    [TestCase("gpt-5", "gpt-5", "gpt-5-up")]
    [TestCase("five", "gpt-5", "gpt-5-up")]
    [TestCase("gpt-4o", "gpt-*", "up-4o")]
    [TestCase("gpt-4o-mini", "gpt-4o-*", "eu/mini/x")]
    [TestCase("gpt-4o-", "gpt-4o-*", "eu//x")]
    [TestCase("gpt-*", "gpt-*", "up-*")]
    [TestCase("GPT-5", "*", "GPT-5")]
    [TestCase("gpt-5 ", "gpt-*", "up-5 ")]
    [TestCase(" gpt-5", "*", " gpt-5")]
    [TestCase("anything/at:all", "*", "anything/at:all")]
    public void The_exact_name_wins_then_the_longest_pattern(string asked, string route, string sent)
    {
        var table = Table();
        Assert.That(table.Resolve(asked, _anybody, reveals: false).TryGet(out var match, out var error), $"{error?.Code}");
        var target = match.Route.Targets[0];
        Assert.That((match.Route.Name, match.Asked, target.ModelFor(match.Star)), Is.EqualTo((route, asked, sent)));
    }

    [Test]
    public void A_star_in_the_middle_of_a_targets_model_is_filled_in_and_written_as_JSON()
    {
        var target = new Target(Table().Upstreams[0], "eu/*-v1");
        Assert.That(target.ModelFor("a\"b\\c/é"), Is.EqualTo("eu/a\"b\\c/é-v1"));
        Assert.That(System.Text.Json.JsonSerializer.Deserialize<string>(target.ModelJsonFor("a\"b\\c/é\n*").Span), Is.EqualTo("eu/a\"b\\c/é\n*-v1"));
        Assert.That(System.Text.Json.JsonSerializer.Deserialize<string>(new Target(Table().Upstreams[0], "plain").ModelJsonFor("x").Span), Is.EqualTo("plain"));
    }

    [Test]
    public void Without_a_pattern_for_all_an_unknown_model_names_the_nearest()
    {
        var table = Table(options => options.Models.Remove("*"));
        var error = table.Resolve("claud", _anybody, reveals: false).Error!;
        Assert.That((error.Status, error.Code, error.Param), Is.EqualTo((404, "model_not_found", "model")));
        Assert.That(error.Message, Does.Contain("claude"));
    }

    [TestCase("gpt-5", true)]
    [TestCase("five", true)]
    [TestCase("gpt-5\n", false)]
    [TestCase("gpt-5 ", false)]
    [TestCase("GPT-5", false)]
    [TestCase("gpt-4o", false)]
    public void A_list_with_a_name_allows_that_name_and_its_aliases(string asked, bool allowed) => AssertAllowed(asked, allowed, "gpt-5");

    [TestCase("gpt-5", true)]
    [TestCase("five", true)]
    [TestCase("gpt-4o", false)]
    public void A_list_with_an_alias_allows_what_it_stands_for(string asked, bool allowed) => AssertAllowed(asked, allowed, "five");

    [TestCase("gpt-5", true)]
    [TestCase("gpt-4o", true)]
    [TestCase("gpt-4o-mini", true)]
    [TestCase("five", true)]
    [TestCase("gpt", false)]
    [TestCase("Gpt-5", false)]
    [TestCase("xgpt-5", false)]
    [TestCase("gpt-secret-alias", false)]
    public void A_list_with_a_pattern_allows_names_that_begin_so_and_no_alias_of_others(string asked, bool allowed) => AssertAllowed(asked, allowed, "gpt-*");

    [TestCase("gpt-4o-mini", true)]
    [TestCase("gpt-4o-large", false)]
    public void A_list_may_hold_one_name_of_a_pattern(string asked, bool allowed) => AssertAllowed(asked, allowed, "gpt-4o-mini");

    [Test]
    public void An_empty_list_allows_nothing_and_no_list_allows_all()
    {
        AssertAllowed("gpt-5", false, []);
        Assert.That(_anybody.Allows("whatever"));
    }

    [Test]
    public void Every_list_must_hold_the_model()
    {
        var options = Options();
        options.Groups["staff"] = new GroupOptions { Models = ["gpt-*"] };
        options.Keys["a"] = new KeyOptions { Key = "key-of-a-0123456789", Group = "staff", Models = ["gpt-5", "claude"] };
        var keys = new KeyRing(options, RouteTableCompiler.AliasResolver(options));
        var caller = keys.Find("key-of-a-0123456789", TimeProvider.System, out _)!;
        Assert.That(new[] { "gpt-5", "claude", "gpt-4o" }.Select(caller.Allows), Is.EqualTo(new[] { true, false, false }));
        Assert.That(RouteTableCompiler.Compile(options).NamesFor(caller), Is.EqualTo(new[] { "five", "gpt-5" }));
    }

    [Test]
    public void A_forbidden_model_is_unknown_unless_the_operator_reveals_it()
    {
        var table = Table();
        var caller = CallerWith("claude");
        var hidden = table.Resolve("gpt-5", caller, reveals: false).Error!;
        var unknown = Table(o => o.Models.Remove("*")).Resolve("nope", caller, reveals: false).Error!;
        var revealed = table.Resolve("gpt-5", caller, reveals: true).Error!;
        Assert.That((hidden.Status, hidden.Code), Is.EqualTo((unknown.Status, unknown.Code)));
        Assert.That(hidden.Message, Does.Not.Contain("five").And.Contain("gpt-secret-alias"), "only what this caller may use is named");
        Assert.That((revealed.Status, revealed.Code, revealed.IsFinal), Is.EqualTo((403, "model_not_allowed", true)));
    }

    [Test]
    public void Another_model_is_suggested_only_if_the_caller_may_use_it()
    {
        var table = Table();
        Assert.That(table.OtherFor(Operations.Embeddings, _anybody), Is.EqualTo("claude"));
        Assert.That(table.OtherFor(Operations.Embeddings, CallerWith("gpt-5")), Is.Null);
    }

    [Test]
    public void Parameters_that_some_model_edits_are_looked_for()
    {
        var table = Table();
        Assert.That(table.Fields.IndexOf("seed"), Is.GreaterThanOrEqualTo(0));
        Assert.That(table.Fields.IndexOf("top_k"), Is.GreaterThanOrEqualTo(0));
        Assert.That(table.Fields.IndexOf("temperature"), Is.Negative);
        var route = table.Resolve("gpt-5", _anybody, false).Value.Route;
        Assert.That(route.Edits.Set.Single().NameJson, Is.EqualTo("\"seed\":"u8.ToArray()));
        Assert.That(route.Edits.Remove, Is.EqualTo(new[] { table.Fields.IndexOf("top_k") }));
    }

    private static void AssertAllowed(string asked, bool allowed, params string[] list) =>
        Assert.That(Table().Resolve(asked, CallerWith(list), reveals: false).Error is null, Is.EqualTo(allowed));

    private static Caller CallerWith(params string[] list) =>
        new("caller", null, [new ModelAllowance(list, RouteTableCompiler.AliasResolver(Options()))], false);

    private static RouteTable Table(Action<LlmProxyOptions>? change = null)
    {
        var options = Options();
        change?.Invoke(options);
        return RouteTableCompiler.Compile(options);
    }

    private static LlmProxyOptions Options()
    {
        var options = new LlmProxyOptions();
        options.Upstreams["chat-only"] = new UpstreamOptions { Url = new Uri("http://chat.example"), Operations = { "-embeddings" } };
        options.Upstreams["all"] = new UpstreamOptions { Url = new Uri("http://all.example") };
        options.Models["gpt-5"] = Model("chat-only", "gpt-5-up", "five");
        options.Models["gpt-5"].Set["seed"] = System.Text.Json.JsonDocument.Parse("1").RootElement;
        options.Models["gpt-5"].Remove.Add("top_k");
        options.Models["gpt-*"] = Model("chat-only", "up-*");
        options.Models["gpt-4o-*"] = Model("chat-only", "eu/*/x");
        options.Models["*"] = Model("all", "*");
        options.Models["claude"] = Model("all", "claude-up", "gpt-secret-alias");
        return options;
    }

    private static ModelOptions Model(string upstream, string model, params string[] aliases)
    {
        var options = new ModelOptions { Targets = { new TargetOptions { Upstream = upstream, Model = model } } };
        foreach (var alias in aliases)
        {
            options.Aliases.Add(alias);
        }

        return options;
    }
}
