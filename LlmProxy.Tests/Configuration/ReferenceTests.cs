using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class ReferenceTests
{
    [TestCase("${KEY}", Written.Canary)]
    [TestCase("${file:/run/secrets/key}", Written.Canary)]
    [TestCase("${file:/run/secrets/crlf}", Written.Canary)]
    [TestCase("x-${KEY}-y-${PORT}", "x-" + Written.Canary + "-y-8000")]
    [TestCase("a$b{c}$", "a$b{c}$")]
    [TestCase("$${KEY}", "${KEY}")]
    [TestCase("${EMPTY}x", "x")]
    public void References_are_filled_in_wherever_they_stand_in_a_text(string written, string text)
    {
        Assert.That(Written.Read(Written.Upstream($$"""  "Kind": "OpenAI", "ApiKey": "{{written}}" """)).Upstreams["a"].ApiKey, Is.EqualTo(text));
    }

    [Test]
    public void References_are_filled_in_in_every_text_of_a_file()
    {
        var options = Written.Read("""
            {
              "Upstreams": { "a": { "Url": "http://${HOST}:${PORT}", "Headers": { "X-Key": "${KEY}" }, "Timeouts": { "Idle": "${PORT}ms" } } },
              "Models": { "m": { "Targets": ["a/${HOST}"], "Set": { "user": { "name": "${HOST}" } } }, "${HOST}": "a/x" }
            }
            """);
        Assert.That(options.Upstreams["a"].Url, Is.EqualTo(new Uri("http://10.0.4.11:8000")));
        Assert.That(options.Upstreams["a"].Headers["x-key"], Is.EqualTo(Written.Canary));
        Assert.That(options.Upstreams["a"].Timeouts.Idle, Is.EqualTo(TimeSpan.FromSeconds(8)));
        Assert.That(options.Models["m"].Targets[0].Model, Is.EqualTo("10.0.4.11"));
        Assert.That(options.Models["m"].Set["user"].GetRawText(), Is.EqualTo("{\"name\":\"10.0.4.11\"}"));
        Assert.That(options.Models, Does.ContainKey("${HOST}"), "a name is not a value");
    }

    [TestCase("${UNSET_ONE}", "the environment variable UNSET_ONE is not set.")]
    [TestCase("${KEY}${UNSET_ONE}", "the environment variable UNSET_ONE is not set.")]
    [TestCase("${file:/run/secrets/nothing}", "the file /run/secrets/nothing does not exist.")]
    [TestCase("${file:/denied}", "the file /denied cannot be read.")]
    [TestCase("${file:secrets/key}", "the file \"secrets/key\" needs its whole path: ${file:/path}.")]
    [TestCase("${cAnArY+0b5e/55ecret=do.not.tell}", "between \"${\" and \"}\" stands the name of an environment variable (letters, digits, _) or file:/path.")]
    [TestCase("${}", "between \"${\" and \"}\" stands the name of an environment variable (letters, digits, _) or file:/path.")]
    [TestCase("${cAnArY+0b5e/55ecret=do.not.tell", "\"${\" has no \"}\". Write \"$${\" for the characters themselves.")]
    [TestCase("${EMPTY}", "is empty. Leave it out if the upstream needs none.")]
    [TestCase("${BLANK}", "is empty. Leave it out if the upstream needs none.")]
    [TestCase("${file:/run/secrets/empty}", "is empty. Leave it out if the upstream needs none.")]
    [TestCase("", "is empty. Leave it out if the upstream needs none.")]
    [TestCase("${file:/run/secrets/two}", "holds something other than visible ASCII characters (a blank, a line break?).")]
    public void A_reference_that_leads_nowhere_or_to_nothing_refuses_to_start(string written, string problem)
    {
        Assert.That(
            Written.Refused(Written.Upstream($$"""  "Kind": "OpenAI", "ApiKey": "{{written}}" """)),
            Is.EqualTo(new[] { "error  line 2  Upstreams › a › ApiKey: " + problem }));
    }

    // Each puts the canary where something else belongs, so that the value itself is what is wrong.
    [TestCase("\"Url\": \"${KEY}\"")]
    [TestCase("\"Url\": \"http://user:${KEY}@host/\"")]
    [TestCase("\"Url\": \"http://host/?key=${KEY}\"")]
    [TestCase("\"Url\": \"http://user:cAnArY+0b5e/55ecret=do.not.tell@host/\"")]
    [TestCase("\"Kind\": \"${KEY}\"")]
    [TestCase("\"HttpVersion\": \"${KEY}\"")]
    [TestCase("\"Proxy\": \"${KEY}\"")]
    [TestCase("\"Proxy\": \"http://u:${KEY}@proxy\"")]
    [TestCase("\"Operations\": [\"${KEY}\", \"+${KEY}\"]")]
    [TestCase("\"Headers\": { \"Authorization\": \"Bearer ${KEY}\", \"X-Other\": \"${KEY}\\u0001\" }")]
    [TestCase("\"Timeouts\": { \"Idle\": \"${SECRET_NUMBER}\", \"Total\": \"${KEY}\" }")]
    [TestCase("\"ApiKey\": { \"cAnArY\": \"${KEY}\" }")]
    [TestCase("\"ApiKey\": [\"cAnArY+0b5e/55ecret=do.not.tell\"]")]
    [TestCase("\"ApyKey\": \"cAnArY+0b5e/55ecret=do.not.tell\"")]
    public void A_secret_in_the_wrong_place_of_an_upstream_is_refused_and_not_told(string members)
    {
        Assert.That(Written.Refused(Written.Upstream((members.Contains("Kind", StringComparison.Ordinal) ? "" : "\"Kind\": \"OpenAI\", ") + members)), Is.Not.Empty);
    }

    [TestCase("\"Keys\": { \"k\": { \"Hash\": \"${KEY}\" } }")]
    [TestCase("\"Keys\": { \"k\": { \"Hash\": \"cAnArY+0b5e/55ecret=do.not.tell\" } }")]
    [TestCase("\"Keys\": { \"k\": { \"Key\": \"${KEY} \" } }")]
    [TestCase("\"Keys\": { \"k\": { \"Key\": \"${KEY}\", \"Hash\": \"${KEY}\" } }")]
    [TestCase("\"Keys\": { \"k\": { \"Key\": \"${KEY}\", \"Group\": \"${KEY}\", \"Models\": [\"${KEY}\"], \"Debug\": \"${KEY}\" } }")]
    [TestCase("\"Keys\": { \"a\": { \"Key\": \"${KEY}\" }, \"b\": { \"Key\": \"${KEY}\" } }")]
    [TestCase("\"Contact\": \"${KEY}\\n\"")]
    [TestCase("\"Listen\": { \"Api\": \"${KEY}\", \"Admin\": \"http://x:${KEY}@127.0.0.1\" }")]
    [TestCase("\"Limits\": { \"Event\": \"${KEY}\", \"HeldAnswer\": \"${SECRET_NUMBER}\" }")]
    [TestCase("\"HostIdentity\": { \"DefaultGroup\": \"${KEY}\" }")]
    [TestCase("\"Store\": \"${KEY}\"")]
    [TestCase("\"Store\": { \"Kind\": \"${KEY}\", \"ConnectionString\": \"${KEY}\", \"Path\": \"${KEY}\" }")]
    [TestCase("\"Store\": { \"ConnectionString\": \"${KEY}\" }")]
    public void A_secret_in_the_wrong_place_elsewhere_is_refused_and_not_told(string members)
    {
        Assert.That(Written.Refused(Written.Root(members)), Is.Not.Empty);
    }

    [TestCase("\"m\": \"${KEY}\"")]
    [TestCase("\"m\": [\"${KEY}/x\", { \"Upstream\": \"${KEY}\", \"Model\": \"*${KEY}\" }]")]
    [TestCase("\"m\": { \"Targets\": [\"openai/x\"], \"Aliases\": [\"${KEY}*\"], \"Balance\": \"${KEY}\", \"ResponseModel\": \"${KEY}\", \"Remove\": [\"${KEY}\"] }")]
    public void A_secret_in_the_wrong_place_of_a_model_is_refused_and_not_told(string models)
    {
        Assert.That(Written.Refused(Written.Models(models)), Is.Not.Empty);
    }

    [Test]
    public void What_a_reference_led_to_is_not_suggested_elsewhere()
    {
        Assert.That(
            Written.Refused("""{ "Upstreams": { "a": { "Kind": "OpenAI" } }, "Models": { "m": { "Targets": ["a/m"], "Aliases": ["${KEY}"] } }, "Groups": { "g": { "Models": ["xyz"] } } }"""),
            Is.EqualTo(new[] { "error  line 1  Groups › g › Models[0]: unknown model \"xyz\". Known: m." }));
    }

    [Test]
    public void A_key_that_was_written_as_a_name_is_masked()
    {
        Assert.That(
            Written.Refused(Written.Root("\"Keys\": { \"sk-llmp-4TqV9nE2wR7kLx0s\": { \"Hash\": \"x\" } }")),
            Is.EqualTo(new[]
            {
                "error  line 2  Keys › sk-…: the name of a key stands in records and must not be a secret: give it a name that does not start with \"sk-\".",
                "error  line 2  Keys › sk-… › Hash: is not \"sha256:\" and 64 hexadecimal digits.",
            }));
    }

    [Test]
    public void A_secret_that_stands_in_the_file_is_a_warning_that_says_what_to_write()
    {
        var json = """
            { "Upstreams": {
              "open-ai.2": { "Kind": "OpenAI", "ApiKey": "literal", "Headers": { "X-Api-Key": "literal", "X-Team": "literal" } },
              "b": { "Kind": "OpenAI", "ApiKey": "Bearer${KEY}" } },
              "Models": { "*": "b/*" },
              "Keys": { "1st": { "Key": "literal" } } }
            """;
        Assert.That(Written.Warned(json), Is.EqualTo(new[]
        {
            "warn   line 2  Upstreams › open-ai.2 › ApiKey: a secret stands in the file. Use \"${OPEN_AI_2_API_KEY}\".",
            "warn   line 2  Upstreams › open-ai.2 › Headers › X-Api-Key: a secret stands in the file. Use \"${X_API_KEY}\".",
            "warn   line 5  Keys › 1st › Key: a secret stands in the file. Use \"${_1ST_KEY}\".",
        }));
    }

    [Test]
    public void Files_and_variables_of_the_machine_are_read()
    {
        var path = Path.Combine(TestContext.CurrentContext.WorkDirectory, "llmproxy-reference-test");
        File.WriteAllText(path, Written.Canary + "\n");
        try
        {
            var real = References.FromEnvironment;
            Assert.That(real.Resolve($"${{file:{path}}}", out var text, out var filled), Is.Null);
            Assert.That((text, filled), Is.EqualTo((Written.Canary, true)));
            Assert.That(real.Resolve("${PATH}", out text, out _), Is.Null);
            Assert.That(text, Is.EqualTo(Environment.GetEnvironmentVariable("PATH")));
            Assert.That(real.Resolve("${file:/dev/zero}", out _, out _), Is.EqualTo("the file /dev/zero cannot be read."), "it never ends");
        }
        finally
        {
            File.Delete(path);
        }
    }
}
