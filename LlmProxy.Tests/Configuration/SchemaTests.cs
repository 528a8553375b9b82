using System.Text.RegularExpressions;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Architecture;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

/// <summary>The schema that editors complete by says what the reader takes.</summary>
[TestFixture]
internal sealed partial class SchemaTests
{
    private const string Switch = "LLMPROXY_APPROVE_SCHEMA";

    [Test]
    public void The_schema_is_the_one_that_the_tables_make()
    {
        string file = Path.Combine(SourceTree.Root, "LlmProxy.Core", "llmproxy.schema.json");
        string made = SchemaWriter.Write();
        if (Environment.GetEnvironmentVariable(Switch) == "1")
        {
            File.WriteAllText(file, made);
            return;
        }

        string again = $"run {Switch}=1 dotnet test --filter FullyQualifiedName~{nameof(SchemaTests)} and build again";
        Assert.That(File.ReadAllText(file).ReplaceLineEndings("\n"), Is.EqualTo(made), again);
        Assert.That(LlmProxyConfiguration.Schema.ReplaceLineEndings("\n"), Is.EqualTo(made), "the one that is built in; " + again);
    }

    [TestCase("README.md")]
    [TestCase("LlmProxy.Core/README.md")]
    [TestCase("LlmProxy.Host/README.md")]
    public void Examples_in_the_documentation_fit(string file)
    {
        string[] examples = [.. Block().Matches(File.ReadAllText(Path.Combine(SourceTree.Root, file))).Select(match => match.Groups[1].Value)];
        Assert.That(examples, Is.Not.Empty);
        foreach (string example in examples)
        {
            Schema.AssertFits(Whole(example), example);
        }
    }

    /// <summary>Many show a member alone, some an upstream or a model alone.</summary>
    private static string Whole(string example)
    {
        string inside = example.StartsWith('{') ? example.TrimEnd()[1..^1]
            : TopLevel().IsMatch(example) ? example
            : example.Contains("\"Kind\"", StringComparison.Ordinal) ? "\"Upstreams\": {" + example + "}"
            : "\"Models\": {" + example + "}";
        string upstreams = inside.Contains("\"Upstreams\"", StringComparison.Ordinal) ? "" : "\"Upstreams\": { \"openai\": { \"Kind\": \"OpenAI\" } },";
        string models = Models().IsMatch(inside) ? "" : "\"Models\": { \"gpt-5-mini\": \"openai/gpt-5-mini\" },";
        return "{" + upstreams + models + inside + "}";
    }

    [TestCase("\"Timeouts\": { \"Idle\": \"300\" }", false)]
    [TestCase("\"Timeouts\": { \"Idle\": 300 }", false)]
    [TestCase("\"Timeouts\": { \"Idle\": \"300 s\" }", false)]
    [TestCase("\"Timeouts\": { \"Idle\": \"300s\" }", true)]
    [TestCase("\"Timeouts\": { \"Idle\": 0 }", true)]
    [TestCase("\"Timeouts\": { \"Idle\": \"${PORT}s\" }", true)]
    [TestCase("\"Timeout\": { \"Idle\": \"300s\" }", false)]
    [TestCase("\"Kind\": \"vLLM\"", true)]
    [TestCase("\"Kind\": \"vllm\"", false)]
    [TestCase("\"RequireFinishReason\": true", true)]
    [TestCase("\"RequireFinishReason\": \"true\"", false)]
    [TestCase("\"HttpVersion\": 2", true)]
    [TestCase("\"HttpVersion\": \"1.1\"", true)]
    [TestCase("\"HttpVersion\": 3", false)]
    [TestCase("\"Concurrent\": 64", true)]
    [TestCase("\"Concurrent\": \"64\"", false)]
    [TestCase("\"Headers\": { \"X-Any\": \"a\" }", true)]
    [TestCase("\"Headers\": { \"X-Any\": 1 }", false)]
    [TestCase("\"Tags\": \"eu\"", false)]
    public void It_agrees_with_the_reader_on_upstreams(string member, bool isGood)
    {
        string json = Written.Upstream((member.Contains("Url", StringComparison.Ordinal) ? "" : "\"Url\": \"http://${HOST}:8000\", ") + member);
        Assert.That(Schema.Fits(json), Is.EqualTo(isGood));
        Assert.That(IsRead(json), Is.EqualTo(isGood));
    }

    [TestCase("\"a\": \"openai/a\"", true)]
    [TestCase("\"a\": \"openai\"", false)]
    [TestCase("\"a\": [\"openai/a\", { \"Upstream\": \"azure-eu\", \"Model\": \"b\" }]", true)]
    [TestCase("\"a\": []", false)]
    [TestCase("\"a\": { \"Targets\": [\"openai/a\"], \"Set\": { \"x\": { \"y\": [1, null] } } }", true)]
    [TestCase("\"a\": { \"Targets\": [{ \"Upstream\": \"openai\" }] }", false)]
    [TestCase("\"a\": { \"Aliases\": [\"b\"] }", false)]
    [TestCase("\"a\": { \"Targets\": [\"openai/a\"], \"Price\": 1 }", false)]
    [TestCase("\"a\": { \"Targets\": [{ \"Upstream\": \"openai\", \"Model\": \"a\", \"Price\": { \"Input\": 1 } }] }", true)]
    [TestCase("\"a\": { \"Targets\": [\"openai/a\"], \"Balance\": \"Affinity\" }", true)]
    [TestCase("\"a\": { \"Targets\": [\"openai/a\"], \"Balance\": \"Random\" }", false)]
    public void It_agrees_with_the_reader_on_models(string model, bool isGood)
    {
        string json = Written.Models(model);
        Assert.That(Schema.Fits(json), Is.EqualTo(isGood));
        Assert.That(IsRead(json), Is.EqualTo(isGood));
    }

    [TestCase("\"$schema\": \"./llmproxy.schema.json\"", true)]
    [TestCase("\"Store\": \"None\"", true)]
    [TestCase("\"Store\": { \"Kind\": \"None\" }", true)]
    [TestCase("\"Store\": \"SQLite\"", true)]
    [TestCase("\"Store\": \"MySQL\"", false)]
    [TestCase("\"Store\": { \"Path\": \"/data\", \"KeepDays\": 90, \"Journal\": \"4GiB\", \"WhenFull\": \"Refuse\" }", true)]
    [TestCase("\"Store\": { \"Kind\": \"PostgreSQL\", \"ConnectionString\": \"${KEY}\", \"WhenCutOff\": \"Serve\" }", true)]
    [TestCase("\"Store\": { \"Keep\": 90 }", false)]
    [TestCase("\"Limits\": { \"RequestBody\": \"64MiB\" }", true)]
    [TestCase("\"Limits\": { \"RequestBody\": \"64MB\" }", false)]
    [TestCase("\"Keys\": { \"k\": { \"Key\": \"${KEY}\", \"Models\": [] } }", true)]
    [TestCase("\"Keys\": { \"k\": \"sk-x\" }", false)]
    [TestCase("\"Prices\": {}", true)]
    [TestCase("\"Prices\": { \"a/*\": { \"Input\": 3, \"Above\": { \"200000\": { \"Input\": 6 } }, \"Tiers\": { \"flex\": { \"Input\": 1.5 } } } }", true)]
    [TestCase("\"Prices\": { \"a/*\": { \"Input\": \"3\" } }", false)]
    [TestCase("\"Prices\": { \"a/*\": { \"Output\": 3 } }", false)]
    [TestCase("\"Prices\": { \"a/*\": { \"Input\": 3, \"Above\": { \"200k\": { \"Input\": 6 } } } }", false)]
    [TestCase("\"UnpricedModels\": \"Allow\"", true)]
    [TestCase("\"Cors\": { \"Origins\": [\"https://a.example\"] }", true)]
    public void It_agrees_with_the_reader_at_the_top(string member, bool isGood)
    {
        string json = Written.Root(member);
        Assert.That(Schema.Fits(json), Is.EqualTo(isGood));
        Assert.That(IsRead(json), Is.EqualTo(isGood));
    }

    [TestCase("{ \"Models\": { \"a\": \"x/y\" } }")]
    [TestCase("{ \"Upstreams\": { \"x\": { \"Kind\": \"OpenAI\" } } }")]
    [TestCase("{ \"Models\": { \"a\": \"x/y\" }, \"Upstreams\": {} }")]
    [TestCase("{ \"Upstreams\": { \"x\": { \"Kind\": \"OpenAI\" } }, \"Models\": {} }")]
    [TestCase("{ \"Upstreams\": { \"x\": { \"Kind\": \"OpenAI\" } }, \"Models\": { \"a\": { \"Targets\": [] } } }")]
    [TestCase("{ \"Upstreams\": { \"x\": { \"Kind\": \"OpenAI\" } }, \"Models\": { \"a\": { \"Targets\": [\"x/y\"], \"Mirror\": {} } } }")]
    public void What_is_required_is_required_by_both(string json)
    {
        Assert.That(Schema.Fits(json), Is.False);
        Assert.That(IsRead(json), Is.False);
    }

    private static bool IsRead(string json)
    {
        try
        {
            Written.Read(json);
            return true;
        }
        catch (LlmProxyConfigurationException)
        {
            return false;
        }
    }

    [GeneratedRegex("```jsonc?\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex("^\"(Upstreams|Models|Prices)\"")]
    private static partial Regex TopLevel();

    [GeneratedRegex("^ *\"Models\"", RegexOptions.Multiline)]
    private static partial Regex Models();
}
