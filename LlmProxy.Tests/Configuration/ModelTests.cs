using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class ModelTests
{
    [TestCase("\"gpt-*\": \"openai/*\"", "gpt-*", "openai/*")]
    [TestCase("\"*\": \"openai/gpt-5\"", "*", "openai/gpt-5")]
    [TestCase("\"gpt-*\": \"openai/ft:gpt-*-team\"", "gpt-*", "openai/ft:gpt-*-team")]
    [TestCase("\"qwen\": \"openai/Qwen/Qwen3-Coder-30B\"", "qwen", "openai/Qwen/Qwen3-Coder-30B")]
    [TestCase("\"qwen3-coder:30b\": \"openai/qwen3-coder:30b\"", "qwen3-coder:30b", "openai/qwen3-coder:30b")]
    [TestCase("\"m\": [\"openai/m\"]", "m", "openai/m")]
    [TestCase("\"m\": [{ \"Upstream\": \"openai\", \"Model\": \"m\" }]", "m", "openai/m")]
    [TestCase("\"m\": [\"azure-eu/m\", { \"Upstream\": \"openai\", \"Model\": \"x/y\", \"Weight\": 3 }]", "m", "azure-eu/m openai/x/y")]
    [TestCase("\"m\": { \"Targets\": [\"azure-eu/m\", { \"Upstream\": \"openai\", \"Model\": \"m\" }] }", "m", "azure-eu/m openai/m")]
    public void A_model_is_written_short_or_long_and_split_at_the_first_slash(string models, string name, string targets)
    {
        var model = Written.Read(Written.Models(models)).Models[name];
        Assert.That(string.Join(' ', model.Targets.Select(static t => $"{t.Upstream}/{t.Model}")), Is.EqualTo(targets));
        Assert.That(model.Targets.Select(static t => t.Upstream), Is.SubsetOf(new[] { "openai", "azure-eu" }));
    }

    [Test]
    public void The_long_form_holds_everything()
    {
        var model = Written.Read(Written.Models("""
            "m": { "Targets": ["openai/m"], "Aliases": ["n", "o"], "ResponseModel": "Asked", "Headers": { "X-Team": "llm" },
                   "Set": { "temperature": 0.20, "stop": ["a", "ä"], "metadata": { "on": true, "n": null, "big": 12345678901234567890 } },
                   "Default": { "max_tokens": 1e3, "user": "x" }, "Remove": ["logit_bias"] }
            """)).Models["m"];
        Assert.That(model.ResponseModel, Is.EqualTo(ResponseModelName.Asked));
        Assert.That(model.Aliases, Is.EqualTo(new[] { "n", "o" }));
        Assert.That(model.Headers["x-team"], Is.EqualTo("llm"));
        Assert.That(model.Set["temperature"].GetRawText(), Is.EqualTo("0.20"), "numbers stay as written");
        Assert.That(model.Set["stop"].GetRawText(), Is.EqualTo("[\"a\",\"ä\"]"));
        Assert.That(model.Set["metadata"].GetRawText(), Is.EqualTo("{\"on\":true,\"n\":null,\"big\":12345678901234567890}"));
        Assert.That(model.Default["max_tokens"].GetRawText(), Is.EqualTo("1e3"));
        Assert.That(model.Default["user"].GetString(), Is.EqualTo("x"));
        Assert.That(model.Remove, Is.EqualTo(new[] { "logit_bias" }));
    }

    [TestCase("\"openai/m\"")]
    [TestCase("[\"openai/m\", \"azure-eu/m\"]")]
    [TestCase("{ \"Targets\": [{ \"Upstream\": \"openai\", \"Model\": \"m\", \"Weight\": 2 }, \"azure-eu/m\"], \"Context\": 1 }")]
    [TestCase("{ \"Targets\": [{ \"Upstream\": \"openai\", \"Model\": \"m\", \"Weight\": 0 }, \"azure-eu/m\"], \"Balance\": \"LeastLoaded\" }")]
    public void What_has_an_effect_is_not_warned_of(string model)
    {
        Assert.That(Written.Warned(Written.Models("\"m\": " + model)), Is.Empty);
    }

    [Test]
    public void A_weight_that_means_nothing_is_warned_of()
    {
        Assert.That(
            Written.Warned(Written.Models("\"m\": { \"Targets\": [{ \"Upstream\": \"openai\", \"Model\": \"m\", \"Weight\": 2 }], \"Balance\": \"InOrder\" }")),
            Is.EqualTo(new[] { "warn   line 2  Models › m: weights mean nothing with \"Balance\": \"InOrder\". Leave Balance out, or write \"Weighted\"." }));
    }

    [Test]
    public void How_a_model_is_balanced_timed_and_sent_twice_is_read()
    {
        var model = Written.Read(Written.Models("""
            "m": { "Targets": [{ "Upstream": "openai", "Model": "m", "Weight": 3, "Priority": 1, "Context": 8192 }, "azure-eu/m"], "Balance": "Weighted",
                   "Sticky": "Header:x-tenant", "Context": 4096, "Timeouts": { "FirstEvent": "1s", "Idle": "2s", "Response": "3s", "Total": "4s", "Heartbeat": "5s" },
                   "Hedge": { "After": "800ms", "BudgetPercent": 7 }, "Mirror": { "Target": "azure-eu/n", "Percent": 9 }, "Coalesce": true }
            """)).Models["m"];
        Assert.That(
            model.Targets.Select(static t => (t.Weight, t.Priority, t.Context)),
            Is.EqualTo(new (int?, int?, int?)[] { (3, 1, 8192), (null, null, null) }));
        Assert.That((model.Balance, model.Sticky, model.Context, model.Coalesce), Is.EqualTo(((TargetBalance?)TargetBalance.Weighted, "Header:x-tenant", (int?)4096, true)));
        var t = model.Timeouts;
        Assert.That(
            new[] { t.FirstEvent, t.Idle, t.Response, t.Total, t.Heartbeat },
            Is.EqualTo(Enumerable.Range(1, 5).Select(static s => (TimeSpan?)TimeSpan.FromSeconds(s))));
        Assert.That((model.Hedge!.After, model.Hedge.BudgetPercent), Is.EqualTo(((TimeSpan?)TimeSpan.FromMilliseconds(800), 7)));
        Assert.That((model.Mirror!.Target.Upstream, model.Mirror.Target.Model, model.Mirror.Percent), Is.EqualTo(("azure-eu", "n", 9)));
    }

    [TestCase("\"Sticky\": \"Caller\"", "Sticky: \"Caller\" is none of \"Key\", \"User\" and \"Header:name\".")]
    [TestCase("\"Sticky\": \"Header:a b\"", "Sticky: \"Header:a b\" does not name a header: write for example \"Header:x-tenant\".")]
    [TestCase("\"Hedge\": { \"After\": \"0s\" }", "Hedge › After: is out of range: 1ms to 1h. Leave it out for the model's own 95th percentile.")]
    [TestCase("\"Hedge\": { \"BudgetPercent\": 0 }", "Hedge › BudgetPercent: is out of range: 1 to 100. Leave Hedge out to send nothing twice.")]
    [TestCase("\"Mirror\": { \"Target\": \"opanai/m\" }", "Mirror › Target: unknown upstream \"opanai\". Did you mean \"openai\"?")]
    [TestCase("\"Mirror\": { \"Target\": \"openai/m\", \"Percent\": 0 }", "Mirror › Percent: is out of range: 1 to 100. Leave Mirror out to copy nothing.")]
    [TestCase("\"Timeouts\": { \"Connect\": \"1s\" }", "Timeouts › Connect: unknown member \"Connect\". Known: FirstEvent, Idle, Response, Total, Heartbeat.")]
    public void What_cannot_be_meant_of_choice_and_repetition_is_refused(string members, string problem)
    {
        Assert.That(
            Written.Refused(Written.Models($$"""  "m": { "Targets": ["openai/m", "azure-eu/m"], {{members}} } """)),
            Is.EqualTo(new[] { "error  line 2  Models › m › " + problem }));
    }

    [TestCase("\"m\": \"gpt-5\"", "m: \"gpt-5\" does not name an upstream and a model: write \"upstream/model\".")]
    [TestCase("\"m\": \"openai/\"", "m: \"openai/\" does not name an upstream and a model: write \"upstream/model\".")]
    [TestCase("\"m\": \"/gpt-5\"", "m: \"/gpt-5\" does not name an upstream and a model: write \"upstream/model\".")]
    [TestCase("\"m\": \"opanai/gpt-5\"", "m: unknown upstream \"opanai\". Did you mean \"openai\"?")]
    [TestCase("\"m\": \"OpenAI/gpt-5\"", "m: unknown upstream \"OpenAI\". Did you mean \"openai\"?")]
    [TestCase("\"m\": \"mistral/gpt-5\"", "m: unknown upstream \"mistral\". Known: azure-eu, openai.")]
    [TestCase("\"m\": [\"openai/a\", \"azure-ue/b\"]", "m[1]: unknown upstream \"azure-ue\". Did you mean \"azure-eu\"?")]
    [TestCase("\"m\": [{ \"Upstream\": \"azure-ue\", \"Model\": \"b\" }]", "m[0] › Upstream: unknown upstream \"azure-ue\". Did you mean \"azure-eu\"?")]
    [TestCase("\"m\": { \"Targets\": [\"azure-ue/b\"] }", "m › Targets[0]: unknown upstream \"azure-ue\". Did you mean \"azure-eu\"?")]
    [TestCase("\"m\": [{ \"Upstream\": \"openai\" }]", "m[0] › Model: is missing: the name of the model at the upstream.")]
    [TestCase("\"m\": [{ \"Model\": \"m\" }]", "m[0] › Upstream: is missing: the name of an upstream.")]
    [TestCase("\"m\": [{ \"Upstream\": \"openai\", \"Model\": \"m\", \"Weight\": -1 }]", "m[0] › Weight: is out of range: 0 to 1000000.")]
    [TestCase("\"m\": [{ \"Upstream\": \"openai\", \"Model\": \"m\", \"Weight\": 0 }]", "m: every target has the weight 0: nothing could be sent. Give one of them more.")]
    [TestCase("\"m\": [{ \"Upstream\": \"openai\", \"Model\": \"m\", \"Priority\": 1001 }]", "m[0] › Priority: is out of range: 0 to 1000.")]
    [TestCase("\"m\": { \"Targets\": [\"openai/m\"], \"Hedge\": {} }", "m › Hedge: there is no second target to ask. Name one, or leave Hedge out.")]
    [TestCase("\"m\": [{ \"Upstream\": \"openai\", \"Modell\": \"m\" }]", "m[0] › Modell: unknown member \"Modell\". Did you mean \"Model\"?")]
    [TestCase("\"m\": []", "m: no target: at least one is needed, for example \"openai/gpt-5\".")]
    [TestCase("\"m\": { \"Aliases\": [\"n\"] }", "m › Targets: no target: at least one is needed, for example \"openai/gpt-5\".")]
    [TestCase("\"m\": { \"Targets\": \"openai/m\" }", "m › Targets: needs a list [ … ], not text.")]
    [TestCase("\"m\": null", "m: null is no value here: leave the member out, or write \"upstream/model\", a list of them, or an object with Targets.")]
    [TestCase("\"m\": \"openai/*\"", "m: the star of \"*\" stands for nothing: \"m\" is one name, not a pattern.")]
    [TestCase("\"m*\": \"openai/*-*\"", "m*: \"*-*\" has more than one star.")]
    [TestCase("\"m*n\": \"openai/m\"", "m*n: the name of a model has 1 to 256 characters on one line, and a star only at its end.")]
    [TestCase("\"m**\": \"openai/m\"", "m**: the name of a model has 1 to 256 characters on one line, and a star only at its end.")]
    [TestCase("\" m\": \"openai/m\"", " m: the name of a model has 1 to 256 characters on one line, and a star only at its end.")]
    [TestCase("\"m\": { \"Targets\": [\"openai/m\"], \"Context\": 0 }", "m › Context: needs a number of tokens above 0.")]
    [TestCase("\"m\": { \"Targets\": [\"openai/m\"], \"Balance\": \"Random\" }", "m › Balance: unknown value \"Random\". Known: InOrder, Weighted, LeastLoaded, Affinity.")]
    [TestCase("\"m\": { \"Targets\": [\"openai/m\"], \"ResponseModel\": \"asked\" }", "m › ResponseModel: unknown value \"asked\". Did you mean \"Asked\"?")]
    public void A_model_that_leads_nowhere_is_refused(string models, string problem)
    {
        Assert.That(Written.Refused(Written.Models(models)), Is.EqualTo(new[] { "error  line 2  Models › " + problem }));
    }

    [TestCase("\"Aliases\": [\"n\"]", "Aliases[0]: the alias \"n\" is the name of a model.")]
    [TestCase("\"Aliases\": [\"x\", \"m\"]", "Aliases[1]: the alias \"m\" is the name of a model.")]
    [TestCase("\"Aliases\": [\"x\", \"x\"]", "Aliases[1]: the alias \"x\" is taken by \"m\".")]
    [TestCase("\"Aliases\": [\"x*\"]", "Aliases[0]: an alias is one name without a star.")]
    [TestCase("\"Aliases\": [\"\"]", "Aliases[0]: an alias is one name without a star.")]
    [TestCase("\"Set\": { \"model\": \"x\" }", "Set › model: \"model\" is the caller's and cannot be changed here.")]
    [TestCase("\"Default\": { \"Stream\": true }", "Default › Stream: \"Stream\" is the caller's and cannot be changed here.")]
    [TestCase("\"Remove\": [\"messages\"]", "Remove[0]: \"messages\" is the caller's and cannot be changed here.")]
    [TestCase("\"Set\": { \"a b\": 1 }", "Set › a b: the name of a parameter has 1 to 100 letters (a to z), digits, \"_\", \"-\" and \".\".")]
    [TestCase("\"Set\": { \"ſtream\": true }", "Set › ſtream: the name of a parameter has 1 to 100 letters (a to z), digits, \"_\", \"-\" and \".\".")]
    [TestCase("\"Set\": { \"seed\": 1 }, \"Default\": { \"seed\": 2 }", "Default › seed: the parameter \"seed\" stands in Set as well as in Default: only one can hold.")]
    [TestCase("\"Set\": { \"seed\": 1 }, \"Remove\": [\"seed\"]", "Remove[0]: the parameter \"seed\" stands in Set as well as in Remove: only one can hold.")]
    [TestCase("\"Default\": { \"seed\": 1 }, \"Remove\": [\"Seed\"]", "Remove[0]: the parameter \"Seed\" stands in Default as well as in Remove: only one can hold.")]
    [TestCase("\"Remove\": [\"seed\", \"seed\"]", "Remove[1]: the parameter \"seed\" stands twice in Remove.")]
    [TestCase("\"Set\": [1]", "Set: needs an object { … }, not a list.")]
    [TestCase("\"Headers\": { \"Host\": \"x\" }", "Headers › Host: is set by the proxy and cannot be configured.")]
    [TestCase("\"Headers\": { \"X-A\": \"x\", \"x-a\": \"y\" }", "Headers › x-a: \"x-a\" stands here twice: upper and lower case are the same.")]
    public void A_change_that_cannot_be_meant_is_refused(string members, string problem)
    {
        Assert.That(
            Written.Refused(Written.Models($$"""  "m": { "Targets": ["openai/m"], {{members}} }, "n": "openai/n" """)),
            Is.EqualTo(new[] { "error  line 2  Models › m › " + problem }));
    }

    [Test]
    public void An_alias_of_two_models_and_one_without_anything_for_the_star_are_refused()
    {
        Assert.That(
            Written.Refused(Written.Models("""
                "m": { "Targets": ["openai/m"], "Aliases": ["x"] },
                "n": { "Targets": ["openai/n"], "Aliases": ["x"] },
                "p-*": { "Targets": ["openai/*"], "Aliases": ["y"] }
                """)),
            Is.EqualTo(new[]
            {
                "error  line 3  Models › n › Aliases[0]: the alias \"x\" is taken by \"m\".",
                "error  line 4  Models › p-* › Aliases[0]: the alias \"y\" has nothing to put where the target has its star. Make it a model of its own.",
            }));
    }

    [TestCase("2024-10-21", true)]
    [TestCase("preview", false)]
    public void A_deployment_whose_name_is_a_direction_in_a_path_is_refused(string version, bool isRefused)
    {
        var json = $$"""
            { "Models": { "gpt-5": "azure/.." },
              "Upstreams": { "azure": { "Kind": "AzureOpenAI", "Url": "https://x.openai.azure.com", "ApiVersion": "{{version}}" } } }
            """;
        if (isRefused)
        {
            Assert.That(Written.Refused(json), Is.EqualTo(new[] { "error  line 1  Models › gpt-5: \"..\" cannot be a deployment: its name is a part of the path." }));
        }
        else
        {
            Assert.That(Written.Read(json).Models["gpt-5"].Targets.Single().Model, Is.EqualTo(".."));
        }
    }
}
