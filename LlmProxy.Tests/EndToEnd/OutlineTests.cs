using System.Buffers;
using System.Text.Json;
using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What two configurations differ in, as their callers would notice it.</summary>
[TestFixture]
public sealed class OutlineTests
{
    private LlmProxyOptions _before = null!;
    private LlmProxyOptions _after = null!;

    [SetUp]
    public void Begin() => (_before, _after) = (Company(), Company());

    [Test]
    public void The_same_is_no_change() => Assert.That(Changes(), Is.Empty);

    [Test]
    public void Another_first_target_is_a_change_that_takes_nothing_away()
    {
        _after.Models["gpt-5"].Targets.Insert(0, new TargetOptions { Upstream = "azure", Model = "gpt5" });
        Assert.That(Changes(), Is.EqualTo(new[] { "Changed gpt-5: first target openai/gpt-5 → azure/gpt5" }));
        _before.Models["gpt-5"].Targets.Insert(0, new TargetOptions { Upstream = "azure", Model = "gpt5" });
        _after.Models["gpt-5"].Targets.RemoveAt(1);
        Assert.That(Changes(), Is.EqualTo(new[] { "Changed gpt-5: targets azure/gpt5, openai/gpt-5 → azure/gpt5" }));
    }

    [Test]
    public void A_model_that_is_gone_is_taken_from_those_who_could_use_it_alone()
    {
        _after.Models.Remove("gpt-5");
        Assert.That(Changes(), Is.EqualTo(new[] { "Removed gpt-5: key anna, key ben would get 404 !" }));
    }

    [Test]
    public void An_alias_counts_as_a_name()
    {
        _before.Models["gpt-5"].Aliases.Add("five");
        Assert.That(Changes(), Is.EqualTo(new[] { "Removed five: key anna, key ben would get 404 !" }));
    }

    [Test]
    public void A_model_that_a_pattern_still_serves_is_not_taken_away()
    {
        _after.Models.Remove("claude-opus");
        Assert.That(Changes(), Is.EqualTo(new[] { "Changed claude-opus: first target azure/opus → openai/*" }));
    }

    [Test]
    public void A_list_that_holds_less_takes_away_and_one_that_holds_more_does_not()
    {
        _after.Groups["engineering"].Models!.Remove("gpt-5");
        _after.Keys["hr"].Models!.Add("gpt-5");
        Assert.That(Changes(), Is.EqualTo(new[] { "Removed gpt-5: key anna, key ben would get 404 !" }));
    }

    [Test]
    public void A_tag_that_no_target_carries_takes_away()
    {
        _after.Keys["hr"].UpstreamTags.Add("eu");
        Assert.That(Changes(), Is.EqualTo(new[] { "Removed claude-*: key hr would get 404 !" }));
    }

    [Test]
    public void A_key_that_is_disabled_is_refused_like_one_that_is_gone()
    {
        _after.Keys["hr"].Disabled = true;
        Assert.That(Changes(), Is.EqualTo(new[] { "Removed key hr: would get 401 !" }));
    }

    [Test]
    public void Operations_that_a_group_may_use_no_longer_are_taken_from_its_keys()
    {
        _before.Groups["engineering"].Endpoints = ["chat", "embeddings", "responses"];
        _after.Groups["engineering"].Endpoints = ["chat", "messages"];
        Assert.That(Changes(), Is.EqualTo(new[] { "Removed key anna, key ben: would get 403 for responses, embeddings !" }));
        _after.Groups["engineering"].Endpoints = null;
        Assert.That(Changes(), Is.Empty);
    }

    [Test]
    public void A_limit_that_is_new_or_lower_takes_away_and_one_that_is_higher_or_gone_does_not()
    {
        _before.Groups["engineering"].EachKey = new EachKeyOptions { RequestsPerMinute = 60, Concurrent = 4 };
        _after.Groups["engineering"].EachKey = new EachKeyOptions { RequestsPerMinute = 10, Concurrent = 8 };
        Assert.That(Changes(), Is.EqualTo(new[] { "Changed key anna, key ben: Concurrent 4 → 8, RequestsPerMinute 60 → 10 !" }));
        _after.Groups["engineering"].EachKey = null;
        Assert.That(Changes(), Is.EqualTo(new[] { "Changed key anna, key ben: Concurrent 4 → no limit, RequestsPerMinute 60 → no limit" }));
        _after.Groups["engineering"].EachKey = _before.Groups["engineering"].EachKey;
        _after.Groups["engineering"].Budget = new BudgetOptions { Month = 100.5m };
        Assert.That(Changes(), Is.EqualTo(new[] { "Changed group engineering: Budget.Month no limit → 100.5 !" }));
    }

    [Test]
    public void Keys_that_go_come_or_get_another_secret_are_told_by_name_and_never_by_secret()
    {
        _after.Keys.Remove("ben");
        _after.Keys["carl"] = new KeyOptions { Key = "sk-secret-of-carl" };
        _after.Keys["anna"].Key = "sk-secret-of-anna-2";
        string[] changes = Changes();
        Assert.That(changes, Is.EqualTo(new[]
        {
            "Removed key ben: would get 401 !", "Added key carl: ", "Changed key anna: another secret; the one before would get 401 !",
        }));
    }

    [Test]
    public void Without_a_key_is_a_caller_too()
    {
        _before.AllowAnonymous = true;
        Assert.That(Changes(), Is.EqualTo(new[] { "Removed callers without a key: would get 401 !" }));
    }

    [Test]
    public void Users_of_an_app_count_by_their_group()
    {
        foreach (LlmProxyOptions options in (LlmProxyOptions[])[_before, _after])
        {
            options.Keys.Clear();
            options.HostIdentity = new HostIdentityOptions { GroupClaim = "g" };
        }

        _after.Groups["engineering"].Models!.Clear();
        Assert.That(Changes(), Has.Exactly(3).Contains("users of group engineering would get 404 !"));
    }

    [Test]
    public void It_is_the_same_after_a_way_over_the_wire_that_carries_no_secret()
    {
        var written = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(written))
        {
            writer.WriteStartObject();
            LlmProxyOutline.Of(_before).WriteTo(writer);
            writer.WriteEndObject();
        }

        string text = System.Text.Encoding.UTF8.GetString(written.WrittenSpan);
        Assert.That(text, Does.Not.Contain("sk-").And.Not.Contain("sha256").And.Not.Contain("http"));
        using JsonDocument json = JsonDocument.Parse(text);
        _after.Models.Remove("gpt-5");
        LlmProxyOutline read = LlmProxyOutline.Read(json.RootElement);
        Assert.That(read.ChangesTo(_after), Is.EqualTo(LlmProxyOutline.Of(_before).ChangesTo(_after)));
        Assert.That(read.GetOperations("gpt-5"), Is.EqualTo(new[] { "chat", "responses", "completions", "embeddings" }));
        Assert.That((read.GetOperations("claude-opus")!.Contains("responses"), read.GetOperations("claude-*")!.Contains("responses")), Is.EqualTo((false, true)));
        Assert.That(read.GetOperations("gpt-6"), Is.Null);
        Assert.Throws<JsonException>(() => LlmProxyOutline.Read(JsonDocument.Parse("{\"models\":1}").RootElement));
    }

    private string[] Changes() =>
        [.. LlmProxyOutline.Of(_before).ChangesTo(_after).Select(c => $"{c.Kind} {c.Subject}: {c.Text}{(c.TakesAccessAway ? " !" : "")}")];

    private static LlmProxyOptions Company() => new()
    {
        Upstreams =
        {
            ["openai"] = new UpstreamOptions { Kind = UpstreamKind.OpenAI },
            ["azure"] = new UpstreamOptions { Url = new Uri("http://azure"), Tags = { "eu" } },
        },
        Models =
        {
            ["gpt-5"] = new ModelOptions { Targets = { new TargetOptions { Upstream = "openai", Model = "gpt-5" } } },
            ["claude-*"] = new ModelOptions { Targets = { new TargetOptions { Upstream = "openai", Model = "*" } } },
            ["claude-opus"] = new ModelOptions { Targets = { new TargetOptions { Upstream = "azure", Model = "opus" } } },
        },
        Groups = { ["engineering"] = new GroupOptions { Models = ["gpt-5", "claude-*"] } },
        Keys =
        {
            ["anna"] = new KeyOptions { Key = "sk-secret-of-anna", Group = "engineering" },
            ["ben"] = new KeyOptions { Key = "sk-secret-of-ben", Group = "engineering" },
            ["hr"] = new KeyOptions { Key = "sk-secret-of-hr", Models = ["claude-*"] },
        },
    };
}
