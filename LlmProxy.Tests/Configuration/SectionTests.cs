using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class SectionTests
{
    private const string Rest = "\"Upstreams\": { \"a\": { \"Kind\": \"OpenAI\" } }";

    [Test]
    public void A_section_of_the_apps_configuration_holds_the_same_model()
    {
        var options = Written.ReadSection($$"""
            {
              "Listen": { "Api": "http://127.0.0.1:8000" },
              "Upstreams": { "a": { "Kind": "Ollama", "ApiKey": "${KEY}", "Timeouts": { "Idle": "30s" }, "RequireFinishReason": true, "HttpVersion": 2, "Headers": {} } },
              "Models": { "gpt-*": "a/*", "list": ["a/x", { "Upstream": "a", "Model": "y", "Weight": 2 }],
                          "long": { "Targets": ["a/z"], "Aliases": ["zz"], "Set": { "user": "team", "stop": ["x", "y"] }, "Context": 1000 } },
              "Groups": { "g": { "Models": ["gpt-*"] }, "none": { "Models": [] }, "all": {} },
              "Keys": { "k": { "Group": "g", "Hash": "{{Written.Hash}}", "Debug": true } },
              "Limits": { "Event": "1MiB" }
            }
            """);
        var upstream = options.Upstreams["a"];
        Assert.That((upstream.Kind, upstream.ApiKey, upstream.Timeouts.Idle), Is.EqualTo((UpstreamKind.Ollama, Written.Canary, TimeSpan.FromSeconds(30))));
        Assert.That((upstream.RequireFinishReason, upstream.HttpVersion), Is.EqualTo((true, new Version(2, 0))));
        Assert.That(options.Models["list"].Targets.Select(static t => (t.Upstream, t.Model, t.Weight)), Is.EqualTo(new[] { ("a", "x", (int?)null), ("a", "y", (int?)2) }));
        Assert.That(options.Models["long"].Set["user"].GetString(), Is.EqualTo("team"));
        Assert.That(options.Models["long"].Set["stop"].GetRawText(), Is.EqualTo("[\"x\",\"y\"]"));
        Assert.That(options.Models["long"].Context, Is.EqualTo(1000));
        Assert.That(options.Groups["none"].Models, Is.Not.Null.And.Empty, "an empty list lets nobody in, it is not the absence of a list");
        Assert.That(options.Groups["all"].Models, Is.Null);
        Assert.That(options.Keys["k"].Debug, Is.True);
        Assert.That(options.Limits.Event, Is.EqualTo(1 << 20));
    }

    [Test]
    public void A_secret_in_a_section_is_no_warning_since_it_may_come_from_a_secret_store()
    {
        LlmProxyConfiguration.ReadSection(
            Written.Section("{ \"Upstreams\": { \"a\": { \"Kind\": \"OpenAI\", \"ApiKey\": \"literal\" } }, \"Models\": { \"*\": \"a/*\" } }"),
            Written.References, out var warnings);
        Assert.That(warnings, Is.Empty);
    }

    [TestCase("\"Models\": { \"*\": \"a/*\" }, \"Limit\": {}", "Limit: unknown member \"Limit\". Did you mean \"Limits\"?")]
    [TestCase("\"Models\": { \"*\": \"a/*\" }, \"Prices\": { \"a/x\": { \"Input\": \"-1\" } }", "Prices › a/x › Input: is out of range: 0 to 1000000.")]
    [TestCase("\"Models\": { \"*\": \"a/*\" }, \"Limits\": { \"Event\": 64 }", "Limits › Event: \"64\" needs a unit: \"64MiB\" or \"64B\".")]
    [TestCase("\"Models\": { \"*\": \"a/*\" }, \"AllowAnonymous\": \"yes\"", "AllowAnonymous: needs true or false, not \"yes\".")]
    [TestCase("\"Models\": { \"*\": \"b/*\" }", "Models › *: unknown upstream \"b\". Did you mean \"a\"?")]
    [TestCase("\"Models\": { \"m\": [\"a/m\", \"b/m\"] }", "Models › m[1]: unknown upstream \"b\". Did you mean \"a\"?")]
    [TestCase("\"Models\": { \"*\": \"a/*\" }, \"Groups\": { \"g\": { \"Models\": null } }", "Groups › g › Models: null is no value here: leave the member out, or write a list [ … ].")]
    [TestCase("\"Models\": { \"*\": \"a/*\" }, \"Groups\": { \"g\": { \"Models\": { \"0\": \"x\", \"2\": \"y\" } } }", "Groups › g › Models: needs a list [ … ], not an object.")]
    public void A_section_is_read_as_strictly_as_a_file(string members, string problem)
    {
        Assert.That(Written.RefusedSection($$"""{ {{Rest}}, {{members}} }"""), Is.EqualTo(new[] { "error  " + problem }));
    }

    [TestCase("\"Models\": { \"qwen3-coder:30b\": \"a/qwen3-coder:30b\" }", "Models › qwen3-coder › 30b: unknown member \"30b\"; or ", "qwen3-coder:30b")]
    [TestCase("\"Models\": { \"qwen3-coder\": \"a/x\", \"qwen3-coder:30b\": \"a/y\" }", "Models › qwen3-coder: has a value and members as well: two sources of the app's configuration disagree, or ", "qwen3-coder:30b")]
    [TestCase("\"Models\": { \"*\": \"a/*\" }, \"Keys\": { \"team:ci\": { \"Key\": \"x\" } }", "Keys › team › ci: unknown member \"ci\"; or ", "team:ci")]
    public void A_name_that_the_app_took_apart_at_its_colon_is_refused_and_sent_to_a_file(string members, string problem, string name)
    {
        Assert.That(Written.RefusedSection($$"""{ {{Rest}}, {{members}} }"""), Is.EqualTo(new[]
        {
            $"error  {problem}the name is \"{name}\": the app's configuration takes names apart at \":\". " +
            "Write such names in a file of their own, read by AddLlmProxy(\"llmproxy.json\").",
        }));
    }

    [TestCase("0.2", "\"0.2\"")]
    [TestCase("\"4096\"", "\"4096\"")]
    [TestCase("1e5", "\"1e5\"")]
    [TestCase("true", "\"True\"")]
    [TestCase("\"null\"", "\"null\"")]
    [TestCase("null", "this")]
    [TestCase("{}", "this")]
    [TestCase("[]", "\"\"")]
    public void A_parameter_whose_type_the_app_has_lost_is_refused_and_sent_to_a_file(string written, string shown)
    {
        Assert.That(
            Written.RefusedSection($$"""{ {{Rest}}, "Models": { "m": { "Targets": ["a/m"], "Set": { "x": {{written}} }, "Default": { "y": { "z": {{written}} } } } } }"""),
            Is.EqualTo(new[] { "Default › y › z", "Set › x" }.Select(path =>
                $"error  Models › m › {path}: {shown} has lost its type in the app's configuration: number, true, false, null, empty and text are the same there. " +
                "Write this model in a file of its own, read by AddLlmProxy(\"llmproxy.json\").")));
    }

    [TestCase("NaN")]
    [TestCase("Infinity")]
    [TestCase("medium")]
    [TestCase("2026-11-03")]
    [TestCase("v1.2")]
    public void A_parameter_that_can_only_be_text_is_taken(string text)
    {
        var options = Written.ReadSection($$"""{ {{Rest}}, "Models": { "m": { "Targets": ["a/m"], "Set": { "x": "{{text}}" } } } }""");
        Assert.That(options.Models["m"].Set["x"].GetString(), Is.EqualTo(text));
    }

    [Test]
    public void A_missing_section_is_named()
    {
        var section = new ConfigurationBuilder().Build().GetSection("LlmProxy");
        var e = Assert.Throws<LlmProxyConfigurationException>(() => LlmProxyConfiguration.ReadSection(section, out _))!;
        Assert.That(e.Message, Is.EqualTo("the section \"LlmProxy\" cannot be used:\nerror  the section does not exist."));
    }
}
