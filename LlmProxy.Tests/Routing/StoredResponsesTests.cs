using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Routing;
using NUnit.Framework;

namespace LlmProxy.Tests.Routing;

/// <summary>Who made what, as far back as there is room.</summary>
internal sealed class StoredResponsesTests
{
    private static readonly Caller s_anna = new("anna", null, [], false);
    private static readonly Caller s_ben = new("ben", null, [], false);

    [Test]
    public void What_was_made_is_found_by_its_caller_alone()
    {
        var stored = new StoredResponses();
        stored.Remember("resp_1", Origin("anna", "a"));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(stored.Find("resp_1", s_anna).Value, Is.EqualTo(Origin("anna", "a")));
            Assert.That(stored.Find("resp_1", s_ben).Error?.Code, Is.EqualTo("response_not_found"));
            Assert.That((stored.Find("resp_2", s_ben).Error, stored.Find("resp_2", s_ben).Value), Is.EqualTo((null as object, null as object)));
        }
    }

    [Test]
    public void Nobody_takes_over_an_id_that_is_another_s()
    {
        var stored = new StoredResponses();
        stored.Remember("resp_1", Origin("anna", "a"));
        stored.Remember("resp_1", Origin("ben", "b"));
        Assert.That(stored.Find("resp_1", s_anna).Value?.Upstream, Is.EqualTo("a"));
        stored.Remember("resp_1", Origin("anna", "c"));
        Assert.That((stored.Find("resp_1", s_anna).Value?.Upstream, stored.Count), Is.EqualTo(("c", 1)));
    }

    [Test]
    public void A_caller_forgets_its_own_least_used_first()
    {
        var stored = new StoredResponses(mostPerCaller: 2);
        stored.Remember("resp_b", Origin("ben", "b"));
        stored.Remember("resp_1", Origin("anna", "a"));
        stored.Remember("resp_2", Origin("anna", "a"));
        stored.Find("resp_1", s_anna);
        stored.Remember("resp_3", Origin("anna", "a"));
        Assert.That(
            (string[])["resp_1", "resp_2", "resp_3"],
            Has.Exactly(1).Matches<string>(id => stored.Find(id, s_anna).Value is null).And.One.EqualTo("resp_2"));
        Assert.That((stored.Find("resp_2", s_anna).Value, stored.Find("resp_b", s_ben).Value?.Upstream, stored.Count), Is.EqualTo((null as StoredOrigin, "b", 3)));
    }

    [Test]
    public void All_together_are_bounded_too()
    {
        var stored = new StoredResponses(mostPerCaller: 10, mostInAll: 5);
        for (int i = 0; i < 100; i++)
        {
            stored.Remember("resp_" + i, Origin("caller" + i, "a"));
        }

        Assert.That(stored.Count, Is.EqualTo(5));
        Assert.That(stored.Find("resp_99", new Caller("caller99", null, [], false)).Value, Is.Not.Null);
    }

    [Test]
    public void The_operations_of_the_configuration_are_those_of_the_endpoints() =>
        Assert.That(UpstreamRules.Operations, Is.EquivalentTo(EndpointTable.Rows.Where(row => row.Operation != Operations.Key).Select(row => row.Name).Distinct()));

    private static StoredOrigin Origin(string caller, string upstream) => new(caller, "model", upstream);
}
