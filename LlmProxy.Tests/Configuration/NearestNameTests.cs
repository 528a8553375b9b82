using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class NearestNameTests
{
    private static readonly string[] Names = ["azure-eu", "openai", "vllm-a", "vllm-b", "claude-sonnet-4-6"];

    [TestCase("azure-ue", "azure-eu")]
    [TestCase("OpenAI", "openai")]
    [TestCase("opnai", "openai")]
    [TestCase("vllm-bb", "vllm-b")]
    [TestCase("claude-sonet-4-6", "claude-sonnet-4-6")]
    [TestCase("mistral", null)]
    [TestCase("", null)]
    public void A_slip_of_the_pen_finds_what_was_meant_and_another_word_finds_nothing(string asked, string? nearest)
    {
        Assert.That(NearestName.Find(asked, Names), Is.EqualTo(nearest));
    }

    [TestCase("claude-sonet-4-6", "claude-sonnet-4-6")]
    [TestCase("gpt-4o", "gpt-4o-mini")]
    [TestCase("gpt-4o-mini-2024-07-18", "gpt-4o-mini")]
    [TestCase("mini", "gpt-4o-mini")]
    [TestCase("claude-opus-9", "claude-sonnet-4-6")]
    [TestCase("mistral", null)]
    [TestCase("qwen3-coder", null)]
    [TestCase("x", null)]
    public void What_is_offered_instead_of_a_model_has_to_do_with_it(string asked, string? nearest) =>
        Assert.That(NearestName.Closest(asked, ["gpt-4o-mini", "claude-sonnet-4-6", "deepseek-r1"]), Is.EqualTo(nearest));

    [Test]
    public void A_very_long_text_is_not_compared()
    {
        Assert.That(NearestName.Find(new string('a', 100_000), [new string('a', 100_001)]), Is.Null);
    }

    [Test]
    public void Where_nothing_is_near_all_are_named()
    {
        Assert.That(NearestName.Advise("mistral", Names), Does.StartWith("Known: azure-eu, openai,"));
        Assert.That(NearestName.Advise("x", []), Is.EqualTo("None is configured."));
    }
}
