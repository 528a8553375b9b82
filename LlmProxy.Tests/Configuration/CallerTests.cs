using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class CallerTests
{
    private const string OtherHash = "sha256:FF112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    [Test]
    public void Groups_keys_and_the_apps_users_are_read()
    {
        var options = Written.Read(Written.Root($$"""
            "Groups": { "all": {}, "none": { "Models": [] }, "some": { "Models": ["gpt-5", "five", "claude-*"] } },
            "Keys": { "Anna Meier": { "Group": "some", "Hash": "{{Written.Hash}}", "Models": ["claude-sonnet"], "Debug": true }, "b": { "Hash": "{{OtherHash}}" } },
            "HostIdentity": { "IdClaim": "oid", "GroupClaim": "dept", "DefaultGroup": "none" }, "AllowAnonymous": true, "RevealForbiddenModels": true
            """));
        Assert.That(options.Groups["all"].Models, Is.Null, "all models");
        Assert.That(options.Groups["none"].Models, Is.Not.Null.And.Empty, "no model");
        Assert.That(options.Groups["some"].Models, Is.EqualTo(new[] { "gpt-5", "five", "claude-*" }));
        var key = options.Keys["Anna Meier"];
        Assert.That((key.Group, key.Hash, key.Key, key.Debug), Is.EqualTo(("some", Written.Hash, (string?)null, true)));
        Assert.That(key.Models, Is.EqualTo(new[] { "claude-sonnet" }));
        Assert.That(options.Keys["b"].Models, Is.Null);
        Assert.That((options.HostIdentity!.IdClaim, options.HostIdentity.GroupClaim, options.HostIdentity.DefaultGroup), Is.EqualTo(("oid", "dept", "none")));
        Assert.That((options.AllowAnonymous, options.RevealForbiddenModels), Is.EqualTo((true, true)));
    }

    [TestCase("gpt-5", true)]
    [TestCase("five", true)]
    [TestCase("claude-*", true)]
    [TestCase("claude-sonnet-4-6", true)]
    [TestCase("claude-sonnet-*", true)]
    [TestCase("c*", true)]
    [TestCase("gpt-*", true)]
    [TestCase("*", true)]
    [TestCase("gpt-6", false)]
    [TestCase("GPT-5", false)]
    [TestCase("gpt-5 ", false)]
    [TestCase("mistral-*", false)]
    [TestCase("", false)]
    public void An_allowed_model_is_one_that_can_be_asked_for(string name, bool known)
    {
        var json = Written.Root($$"""  "Groups": { "g": { "Models": ["{{name}}"] } } """);
        if (known)
        {
            Assert.That(Written.Read(json).Groups["g"].Models, Is.EqualTo(new[] { name }));
        }
        else
        {
            Assert.That(Written.Refused(json).Single(), Does.StartWith($"error  line 2  Groups › g › Models[0]: unknown model \"{name}\". "));
        }
    }

    [TestCase("\"Groups\": { \"g\": { \"Models\": [\"gpt-5\", \"gtp-5\"] } }", "Groups › g › Models[1]: unknown model \"gtp-5\". Did you mean \"gpt-5\"?")]
    [TestCase("\"Groups\": { \"g\": { \"Models\": [\"c*e\"] } }", "Groups › g › Models[0]: \"c*e\": a star may only stand at the end.")]
    [TestCase("\"Groups\": { \"\": { } }", "Groups › : the name of a group has 1 to 100 characters on one line.")]
    [TestCase("\"Groups\": { \"a\": { } }, \"Keys\": { \"k\": { \"Key\": \"${KEY}\", \"Group\": \"b\" } }", "Keys › k › Group: unknown group \"b\". Did you mean \"a\"?")]
    [TestCase("\"Keys\": { \"k\": { \"Key\": \"${KEY}\", \"Group\": \"b\" } }", "Keys › k › Group: unknown group \"b\". None is configured.")]
    [TestCase("\"Keys\": { \"k\": { \"Key\": \"${KEY}\", \"Models\": [\"x\"] } }", "Keys › k › Models[0]: unknown model \"x\". Known: gpt-5, five, claude-*.")]
    [TestCase("\"Keys\": { \"k\": { } }", "Keys › k: has no key: write its Hash, or Key as \"${NAME}\".")]
    [TestCase("\"Keys\": { \"k\": { \"Key\": \"${KEY}\", \"Hash\": \"sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\" } }", "Keys › k: has Hash and Key. Write one of them.")]
    [TestCase("\"Keys\": { \"k\": { \"Key\": \"\" } }", "Keys › k › Key: is empty. An empty key would let everybody in.")]
    [TestCase("\"Keys\": { \"k\": { \"Key\": \"${EMPTY}\" } }", "Keys › k › Key: is empty. An empty key would let everybody in.")]
    [TestCase("\"Keys\": { \"k\": { \"Key\": \"${KEY} x\" } }", "Keys › k › Key: needs 1 to 200 visible ASCII characters.")]
    [TestCase("\"Keys\": { \"k\": { \"Hash\": \"\" } }", "Keys › k › Hash: is not \"sha256:\" and 64 hexadecimal digits.")]
    [TestCase("\"Keys\": { \"k\": { \"Hash\": \"sha256:00112233\" } }", "Keys › k › Hash: is not \"sha256:\" and 64 hexadecimal digits.")]
    [TestCase("\"Keys\": { \"k\": { \"Hash\": \"SHA256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\" } }", "Keys › k › Hash: is not \"sha256:\" and 64 hexadecimal digits.")]
    [TestCase("\"Keys\": { \"k\": { \"Hash\": \"sha256:zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\" } }", "Keys › k › Hash: is not \"sha256:\" and 64 hexadecimal digits.")]
    [TestCase("\"Keys\": { \"key_1\": { \"Key\": \"${KEY}\" } }", "Keys › key_1: the name of a key does not start with \"key_\": so do the ids of keys in a store.")]
    [TestCase("\"Keys\": { \"a\": { \"Key\": \"${KEY}\" }, \"b\": { \"Key\": \"${KEY}\" } }", "Keys › b › Key: is the same key as that of \"a\".")]
    [TestCase("\"HostIdentity\": { \"DefaultGroup\": \"g\" }", "HostIdentity › DefaultGroup: unknown group \"g\". None is configured.")]
    [TestCase("\"HostIdentity\": { \"IdClaim\": \"\" }", "HostIdentity › IdClaim: is empty. Name a claim, or leave it out.")]
    public void A_caller_that_is_not_clearly_limited_is_refused(string members, string problem)
    {
        Assert.That(Written.Refused(Written.Root(members)), Is.EqualTo(new[] { "error  line 2  " + problem }));
    }

    [Test]
    public void One_key_under_two_names_is_refused_however_it_is_written()
    {
        var options = Valid();
        options.Keys["a"] = new KeyOptions { Key = "abc" };
        options.Keys["b"] = new KeyOptions { Hash = "sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD" };
        Assert.That(LlmProxyConfiguration.Validate(options), Is.EqualTo(new[] { new ConfigurationProblem(true, 0, "Keys › b › Hash", "is the same key as that of \"a\".") }));
    }

    [Test]
    public void Both_what_is_unknown_and_what_is_missing_are_said_of_one_key()
    {
        Assert.That(
            Written.Refused(Written.Root("\"Keys\": { \"k\": { \"Colour\": 1 } }")),
            Is.EqualTo(new[] { "error  line 2  Keys › k › Colour: unknown member \"Colour\". Known: Hash, Key, Group, Models, Endpoints, UpstreamTags, RequestsPerMinute, TokensPerMinute, Concurrent, Budget, Reserve, Expires, ….", "error  line 2  Keys › k: has no key: write its Hash, or Key as \"${NAME}\"." }));
    }

    [Test]
    public void Options_made_in_code_are_held_to_the_same_rules()
    {
        var options = Valid();
        Assert.That(LlmProxyConfiguration.Validate(options), Is.Empty, "keys are not needed here");

        options.Upstreams["a"].Timeouts.Idle = TimeSpan.FromSeconds(-1);
        options.Upstreams["a"].HttpVersion = new Version(3, 0);
        options.Models["n"] = new ModelOptions { Targets = { new TargetOptions { Upstream = "b", Model = "n" } }, Set = { ["x"] = default } };
        Assert.That(LlmProxyConfiguration.Validate(options).Select(static p => p.ToString()), Is.EquivalentTo(new[]
        {
            "error  Upstreams › a › Timeouts › Idle: is out of range: 1ms to 24h, or 0s to switch it off.",
            "error  Upstreams › a › HttpVersion: needs 1.1 or 2.",
            "error  Models › n › Targets[0] › Upstream: unknown upstream \"b\". Did you mean \"a\"?",
            "error  Models › n › Set › x: has no value.",
        }));
    }

    [Test]
    public void Without_keys_without_the_apps_users_and_without_consent_to_everybody_nothing_starts()
    {
        var options = Valid();
        Assert.That(LlmProxyConfiguration.FindMissingCallers(options)?.Message, Does.StartWith("nobody could call: configure Keys, or HostIdentity"));
        options.AllowAnonymous = true;
        Assert.That(LlmProxyConfiguration.FindMissingCallers(options), Is.Null);
        options = Valid();
        options.HostIdentity = new HostIdentityOptions();
        Assert.That(LlmProxyConfiguration.FindMissingCallers(options), Is.Null);
        options = Valid();
        options.Keys["k"] = new KeyOptions { Hash = Written.Hash };
        Assert.That(LlmProxyConfiguration.FindMissingCallers(options), Is.Null);
    }

    private static LlmProxyOptions Valid() => new()
    {
        Upstreams = { ["a"] = new UpstreamOptions { Kind = UpstreamKind.OpenAI } },
        Models = { ["*"] = new ModelOptions { Targets = { new TargetOptions { Upstream = "a", Model = "*" } } } },
    };
}
