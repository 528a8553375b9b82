using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class PriceTests
{
    [Test]
    public void A_price_is_read_with_all_that_it_may_hold()
    {
        var options = Written.Read(Written.Root("""
            "UnpricedModels": "Allow",
            "Prices": { "a/claude-*": { "Input": 3, "CachedInput": 0.30, "CacheWrite": 3.75, "CacheWrite1h": 6, "Output": 15, "Request": 0.01,
              "Above": { "200000": { "Input": 6, "Output": 22.5 } }, "Tiers": { "flex": { "Input": 1.5 } } } }
            """));

        var price = options.Prices["a/claude-*"];
        Assert.That(options.UnpricedModels, Is.EqualTo(UnpricedModels.Allow));
        Assert.That((price.Input, price.CachedInput, price.CacheWrite, price.CacheWrite1h, price.Output, price.Request), Is.EqualTo((3m, 0.30m, 3.75m, 6m, 15m, 0.01m)));
        Assert.That((price.Above[200_000].Input, price.Above[200_000].Output, price.Above[200_000].CachedInput), Is.EqualTo((6m, 22.5m, (decimal?)null)));
        Assert.That(price.Tiers["flex"].Input, Is.EqualTo(1.5m));
    }

    [Test]
    public void A_target_may_have_a_price_of_its_own()
    {
        var options = Written.Read(Written.Models("""
            "m": { "Targets": [ { "Upstream": "openai", "Model": "m", "Price": { "Input": 0 } } ] }
            """));

        Assert.That(options.Models["m"].Targets[0].Price!.Input, Is.Zero);
    }

    [TestCase("\"a/m\": { \"Output\": 1 }", "Prices › a/m › Input: is missing: US dollars per million tokens. Write 0 for what costs nothing.")]
    [TestCase("\"a/m\": { \"Input\": -1 }", "Prices › a/m › Input: is out of range: 0 to 1000000.")]
    [TestCase("\"a/m\": { \"Input\": 1, \"Request\": -0.1 }", "Prices › a/m › Request: is out of range: 0 to 1000000.")]
    [TestCase("\"a/m\": { \"Input\": \"1\" }", "Prices › a/m › Input: \"1\" is text here: write 1, without quotes.")]
    [TestCase("\"a/m\": { \"Input\": 1, \"Above\": { \"200k\": { \"Input\": 2 } } }", "Prices › a/m › Above › 200k: \"200k\" is no number of tokens: write for example \"200000\".")]
    [TestCase("\"a/m\": { \"Input\": 1, \"Above\": { \"9\": { \"Input\": -2 } } }", "Prices › a/m › Above › 9 › Input: is out of range: 0 to 1000000.")]
    [TestCase("\"a/m\": { \"Input\": 1, \"Tiers\": { \"flex\": { \"Output\": -2 } } }", "Prices › a/m › Tiers › flex › Output: is out of range: 0 to 1000000.")]
    [TestCase("\"m\": { \"Input\": 1 }", "Prices › m: a price is for \"upstream/model\", as the upstream names it; either may end in a star.")]
    [TestCase("\"a/m*n\": { \"Input\": 1 }", "Prices › a/m*n: a price is for \"upstream/model\", as the upstream names it; either may end in a star.")]
    [TestCase("\"a/m\": { \"Inputs\": 1, \"Input\": 1 }", "Prices › a/m › Inputs: unknown member \"Inputs\". Did you mean \"Input\"?")]
    public void A_price_that_is_none_is_refused(string price, string problem) =>
        Assert.That(Written.Refused(Written.Root($"\"Prices\": {{ {price} }}")), Is.EqualTo(new[] { "error  line 2  " + problem }));

    [Test]
    public void A_price_that_nothing_uses_is_told() => Assert.That(
        Written.Warned(Written.Root("\"Prices\": { \"antropic/*\": { \"Input\": 1 } }")),
        Has.Exactly(1).StartsWith("warn   line 2  Prices › antropic/*: no upstream is called \"antropic\": the price is never used."));
}
