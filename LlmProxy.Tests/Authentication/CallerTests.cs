using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Authentication;

/// <summary>What a key, its group and the configuration together make of who calls.</summary>
internal sealed class CallerTests
{
    private const string Secret = "key-of-anna-0123456789";

    [Test]
    public void A_key_falls_back_to_its_groups_default_member_by_member_and_window_by_window()
    {
        var caller = Of(
            new KeyOptions { RequestsPerMinute = 5, Budget = new BudgetOptions { Day = 1 } },
            new GroupOptions
            {
                Concurrent = 100,
                Reserve = ReserveMode.Exact,
                EachKey = new EachKeyOptions { RequestsPerMinute = 60, TokensPerMinute = 1000, Concurrent = 4, Budget = new BudgetOptions { Day = 40, Month = 400 } },
            });
        var own = caller.Own;
        Assert.That((own.RequestsPerMinute, own.TokensPerMinute, own.Concurrent, own.Reserve), Is.EqualTo(((int?)5, (long?)1000, (int?)4, (ReserveMode?)ReserveMode.Exact)));
        Assert.That((own.Budget!.Day, own.Budget.Month, own.Budget.Total), Is.EqualTo(((decimal?)1m, (decimal?)400m, (decimal?)null)));
        Assert.That(caller.Pool!.Concurrent, Is.EqualTo(100));
    }

    [Test]
    public void A_pool_is_no_limit_of_a_key_alone()
    {
        var caller = Of(new KeyOptions(), new GroupOptions { RequestsPerMinute = 3, Budget = new BudgetOptions { Month = 1 } });
        Assert.That((caller.Own.RequestsPerMinute, caller.Own.Budget, caller.Pool!.RequestsPerMinute), Is.EqualTo(((int?)null, (BudgetOptions?)null, (int?)3)));
        Assert.That(Of(new KeyOptions(), null).Pool, Is.Null);
    }

    [TestCase(null, null, null, "UTC UTC")]
    [TestCase(null, null, "Europe/Berlin", "Europe/Berlin Europe/Berlin")]
    [TestCase(null, "Asia/Tokyo", "Europe/Berlin", "Asia/Tokyo Asia/Tokyo")]
    [TestCase("America/New_York", "Asia/Tokyo", "Europe/Berlin", "America/New_York Asia/Tokyo")]
    public void Days_are_those_of_the_key_its_group_or_the_configuration(string? key, string? group, string? root, string zones)
    {
        var caller = Of(new KeyOptions { TimeZone = key }, new GroupOptions { TimeZone = group }, root);
        Assert.That($"{caller.Zone.Id} {caller.PoolZone.Id}", Is.EqualTo(zones));
    }

    [Test]
    public void Operations_are_those_that_the_key_and_its_group_both_allow()
    {
        Assert.That(Of(new KeyOptions(), new GroupOptions()).Operations & Operations.Embeddings, Is.Not.Zero, "all where nothing is said");
        Assert.That(Of(new KeyOptions { Endpoints = ["chat", "embeddings"] }, new GroupOptions { Endpoints = ["chat", "messages"] }).Operations, Is.EqualTo(Operations.Chat));
        Assert.That(Of(new KeyOptions { Endpoints = [] }, null).Operations, Is.EqualTo(Operations.None));
        Assert.That(Of(new KeyOptions { Endpoints = ["messages"] }, null).Operations, Is.EqualTo(Operations.Messages | Operations.CountTokens), "who sends messages counts their tokens before");
    }

    [Test]
    public void A_key_ends_at_its_instant_and_a_disabled_one_is_refused_by_its_name()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2027, 6, 30, 23, 59, 59, TimeSpan.Zero));
        var caller = Of(new KeyOptions { Expires = new DateTimeOffset(2027, 7, 1, 0, 0, 0, TimeSpan.Zero) }, null);
        Assert.That(caller.RefusalAt(time), Is.Null);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.That((caller.RefusalAt(time)!.Status, caller.RefusalAt(time)!.Code, caller.RefusalAt(time)!.Message), Is.EqualTo((401, "key_expired", "Your API key was valid until 2027-07-01 00:00 UTC.")));
        Assert.That(Of(new KeyOptions { Disabled = true }, null).RefusalAt(time)!.Code, Is.EqualTo("key_disabled"));
    }

    [Test]
    public void A_user_of_the_app_has_what_each_key_of_the_claimed_group_has_and_is_one_caller()
    {
        var options = new LlmProxyOptions { HostIdentity = new HostIdentityOptions { GroupClaim = "team" } };
        options.Groups["staff"] = new GroupOptions { Concurrent = 9, Endpoints = ["chat"], EachKey = new EachKeyOptions { RequestsPerMinute = 2 } };
        var ring = new KeyRing(options, static name => name);
        var ann = ring.ForUser("ann", "staff");
        Assert.That((ann.Own.RequestsPerMinute, ann.Pool!.Concurrent, ann.Operations), Is.EqualTo(((int?)2, (int?)9, Operations.Chat)));
        Assert.That(ring.ForUser("ann", "staff"), Is.SameAs(ann), "what admission has found out about it stays");
        Assert.That((ring.ForUser("ann", "strangers").Group, ring.ForUser("bob", "staff") == ann), Is.EqualTo(((string?)null, false)));
    }

    private static Caller Of(KeyOptions key, GroupOptions? group, string? zone = null)
    {
        var options = new LlmProxyOptions { TimeZone = zone };
        if (group is not null)
        {
            options.Groups["g"] = group;
            key.Group = "g";
        }

        key.Key = Secret;
        options.Keys["anna"] = key;
        return new KeyRing(options, static name => name).Find(Secret, TimeProvider.System, out _)!;
    }
}
