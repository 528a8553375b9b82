using System.Text;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class FileTests
{
    private static readonly string[] NotJson = ["{ \"Upstreams\": tru" + Written.Canary + " }", "{\n  \"ApiKey\": \"" + Written.Canary, "{ 'a': 1 }", "{ \"a\" 1 }", "{} {}", "[", "\u0001"];

    [Test]
    public void Comments_and_trailing_commas_are_allowed_and_lines_still_count()
    {
        var json = """
            // the whole company
            {
              /* two
                 lines */
              "Upstreams": { "a": { "Kind": "OpenAI", }, },
              "Models": { "x": "a/x", "y": [ "b/y", ], }, // done
            }
            """;
        Assert.That(Written.Refused(json), Is.EqualTo(new[] { "error  line 6  Models › y[0]: unknown upstream \"b\". Did you mean \"a\"?" }));
        Assert.That(Written.Refused(json.ReplaceLineEndings("\r\n")), Has.One.StartsWith("error  line 6  "));
        Assert.That(Written.Read("\uFEFF" + json.Replace("b/y", "a/y", StringComparison.Ordinal)).Models.Keys, Is.EqualTo(new[] { "x", "y" }), "a byte order mark is no error");
    }

    [TestCaseSource(nameof(NotJson))]
    public void What_is_not_JSON_is_refused_by_position_and_never_quoted(string json)
    {
        Assert.That(Written.Refused(json), Has.Length.EqualTo(1).And.All.Match("^error  line \\d+  "));
    }

    [Test]
    public void A_file_that_ends_too_early_or_has_single_quotes_is_told_so()
    {
        Assert.That(Written.Refused("{\n  \"Upstreams\": {\n"), Is.EqualTo(new[] { "error  line 3  the file ends too early: a quote or a closing bracket is missing." }));
        Assert.That(Written.Refused("{\n  'Upstreams': {}\n}"), Is.EqualTo(new[] { "error  line 2  not JSON at column 3: texts and names stand in double quotes." }));
        Assert.That(Written.Refused("{\n  \"Upstreams\" {}\n}"), Is.EqualTo(new[] { "error  line 2  not JSON at column 15: a quote, comma, colon or bracket is missing or too many." }));
        Assert.That(Written.Refused(" \n"), Is.EqualTo(new[] { "error  line 1  the file is empty." }));
        Assert.That(Written.Refused("[]"), Is.EqualTo(new[] { "error  line 1  needs an object { … }, not a list." }));
    }

    [Test]
    public void A_member_that_stands_twice_is_an_error_and_not_the_last_one_wins()
    {
        Assert.That(
            Written.Refused("{ \"Upstreams\": { \"a\": { \"Kind\": \"OpenAI\" },\n \"a\": { \"Kind\": \"Ollama\" } },\n \"Models\": { \"*\": \"a/*\",\n \"\\u002a\": \"a/x\" } }"),
            Is.EqualTo(new[] { "error  line 2  Upstreams › a: stands here twice, first in line 1.", "error  line 4  Models › *: stands here twice, first in line 3." }));
        Assert.That(
            Written.Refused(Written.Models("\"m\": { \"Targets\": [\"openai/m\"], \"Set\": { \"extra\": { \"a\": 1, \"a\": 2 } } }")),
            Is.EqualTo(new[] { "error  line 2  Models › m › Set › extra › a: stands here twice, first in line 2." }));
    }

    [Test]
    public void Text_that_is_not_Unicode_is_refused_with_its_line()
    {
        Assert.That(Written.Refused(Written.Root("\"Contact\": \"\\ud800\"")), Is.EqualTo(new[] { "error  line 2  Contact: a text here is not valid Unicode." }));
        Assert.That(Written.Refused("\0{\0}"), Is.EqualTo(new[] { "error  line 1  the file is not UTF-8 text." }));
    }

    [TestCase("\"Upstream\": {}", "Upstream: unknown member \"Upstream\". Did you mean \"Upstreams\"?")]
    [TestCase("\"contact\": \"x\"", "contact: unknown member \"contact\": write \"Contact\".")]
    [TestCase("\"Limits\": { \"RequestBdoy\": \"1MiB\" }", "Limits › RequestBdoy: unknown member \"RequestBdoy\". Did you mean \"RequestBody\"?")]
    [TestCase("\"Limits\": { \"Zzz\": 1 }", "Limits › Zzz: unknown member \"Zzz\". Known: RequestBody, AllRequestBodies, BodyTime, Concurrent, Event, HeldAnswer, RevokedKey.")]
    [TestCase("\"Keys\": { \"k\": { \"Key\": \"${KEY}\", \"Groups\": \"g\" } }", "Keys › k › Groups: unknown member \"Groups\". Did you mean \"Group\"?")]
    public void An_unknown_member_is_refused_and_the_nearest_known_one_named(string member, string problem)
    {
        Assert.That(Written.Refused(Written.Root(member)), Is.EqualTo(new[] { "error  line 2  " + problem }));
    }

    [Test]
    public void What_follows_from_an_error_is_not_reported_as_another()
    {
        Assert.That(
            Written.Refused("""{ "Upstreams": { "a": { "Kind": "vLLM", "Ulr": "http://x" } }, "Model": { "*": "a/*" } }"""),
            Is.EqualTo(new[]
            {
                "error  line 1  Upstreams › a › Ulr: unknown member \"Ulr\". Did you mean \"Url\"?",
                "error  line 1  Model: unknown member \"Model\". Did you mean \"Models\"?",
            }));
        Assert.That(
            Written.Refused("""{ "Upstreams": { "a": "http://x" }, "Models": { "*": "a/*", "m": [7, "a/m"] } }"""),
            Is.EqualTo(new[]
            {
                "error  line 1  Upstreams › a: needs an object { … }, not text.",
                "error  line 1  Models › m[0]: needs \"upstream/model\" or an object with Upstream and Model, not a number.",
            }));
    }

    [Test]
    public void An_item_that_cannot_be_read_does_not_move_the_places_of_the_others()
    {
        Assert.That(
            Written.Refused(Written.Models("\"m\": [ 7, \"opnai/m\" ]")),
            Is.EqualTo(new[]
            {
                "error  line 2  Models › m[0]: needs \"upstream/model\" or an object with Upstream and Model, not a number.",
                "error  line 2  Models › m[1]: unknown upstream \"opnai\". Did you mean \"openai\"?",
            }));
    }

    [TestCase("[7, \"openai/m\", \"opnai/m\"]", "Targets", "Targets[0]: needs \"upstream/model\" or an object with Upstream and Model, not a number.", "Targets[2]: unknown upstream \"opnai\". Did you mean \"openai\"?")]
    [TestCase("[null, \"seed\", \"model\"]", "Remove", "Remove[0]: null is no value here: leave the member out, or write text in quotes.", "Remove[2]: \"model\" is the caller's and cannot be changed here.")]
    public void An_item_of_a_list_that_cannot_be_read_keeps_its_place(string list, string member, string first, string second)
    {
        var targets = member == "Targets" ? "" : "\"Targets\": [\"openai/m\"], ";
        Assert.That(
            Written.Refused(Written.Models($$"""  "m": { {{targets}}"{{member}}": {{list}} } """)),
            Is.EqualTo(new[] { "error  line 2  Models › m › " + first, "error  line 2  Models › m › " + second }));
    }

    [Test]
    public void A_file_is_read_from_disk_and_a_missing_one_is_named()
    {
        var path = Path.Combine(TestContext.CurrentContext.WorkDirectory, "llmproxy-file-test.json");
        File.WriteAllText(path, """{ "Upstreams": { "local": { "Kind": "Ollama" } }, "Models": { "*": "local/*" } }""", Encoding.UTF8);
        try
        {
            Assert.That(LlmProxyConfiguration.ReadFile(path, out var warnings).Upstreams.Keys, Is.EqualTo(new[] { "local" }));
            Assert.That(warnings, Is.Empty);
        }
        finally
        {
            File.Delete(path);
        }

        var missing = Assert.Throws<LlmProxyConfigurationException>(() => LlmProxyConfiguration.ReadFile("/nowhere/llmproxy.json", out _))!;
        Assert.That(missing.Message, Is.EqualTo("/nowhere/llmproxy.json cannot be used:\nerror  the file does not exist."));
        var directory = Assert.Throws<LlmProxyConfigurationException>(() => LlmProxyConfiguration.ReadFile(Path.GetTempPath(), out _))!;
        Assert.That(directory.Message, Does.Contain("cannot be read"));
    }

    [Test]
    public void Control_characters_of_a_name_do_not_reach_the_terminal()
    {
        Assert.That(Written.Refused(Written.Root("\"Li\\u001b[31mst\\n\": 1")).Single(), Does.Not.Contain('\u001b').And.Not.Contain('\n'));
    }
}
