using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class BalanceTests
{
    [TestCase(64, 0)]
    [TestCase(65, 1)]
    public void A_model_has_at_most_64_targets(int targets, int errors)
    {
        var options = new LlmProxyOptions { AllowAnonymous = true };
        options.Upstreams["a"] = new() { Url = new Uri("http://up.example") };
        options.Models["m"] = new();
        for (var i = 0; i < targets; i++)
        {
            options.Models["m"].Targets.Add(new() { Upstream = "a", Model = $"m{i}" });
        }

        var problems = LlmProxyConfiguration.Validate(options).Where(p => p.IsError).Select(p => p.ToString()).ToList();
        Assert.That(problems, Has.Count.EqualTo(errors).And.All.Contains("Targets: too many: a model has at most 64 targets."));
    }

    [TestCase("\"Sticky\": \"Key\", \"Balance\": \"Affinity\"", 1)]
    [TestCase("\"Sticky\": \"Key\", \"Balance\": \"Weighted\"", 0)]
    [TestCase("\"Sticky\": \"Key\"", 0)]
    public void Sticky_means_nothing_without_a_weighted_choice(string members, int warnings) =>
        Assert.That(
            Written.Warned(Written.Models("\"m\": { \"Targets\": [\"openai/m\", \"azure-eu/m\"], " + members + " }")).ToList(),
            Has.Count.EqualTo(warnings).And.All.Contains("Sticky: means nothing with \"Balance\": \"Affinity\". Leave Balance out, or write \"Weighted\"."));
}
