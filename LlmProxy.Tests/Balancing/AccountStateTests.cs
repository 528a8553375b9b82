using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Balancing;

/// <summary>What only one account can read is sent to no other.</summary>
internal sealed class AccountStateTests
{
    private const string Encrypted = """{"model":"m","input":[{"role":"user","content":"hi"},{"type":"reasoning","id":"rs_1","encrypted_content":"gAAA"},{"role":"user","content":"and?"}]}""";

    [TestCase(Encrypted, Operations.Responses)]
    [TestCase("""{"model":"m","input":[{"role":"user","content":[{"type":"input_file","file_id" : "file-1"}]}]}""", Operations.Responses)]
    [TestCase("""{"model":"m","input":"x","tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}""", Operations.Responses)]
    [TestCase("""{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]}""", Operations.Chat)]
    [TestCase("""{"model":"m","messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]}""", Operations.Messages)]
    public void One_upstream_is_asked_and_no_other(string body, Operations operation)
    {
        var choosing = new Choosing(Choosing.Plain(3), Serve);
        Assert.That(Choosing.Order(choosing.Select(body, operation: operation)), Is.EqualTo("a"));
        choosing.TakeOut("a");
        var selection = choosing.Select(body, operation: operation);
        Assert.That(selection.Next(out _), Is.Null, "not even when it is out");
        Assert.That(choosing.Name(), Is.EqualTo("b"));
    }

    [TestCase("""{"model":"m","input":[{"role":"user","content":"say \"encrypted_content\":\"x\" twice"}]}""", Operations.Responses)]
    [TestCase("""{"model":"m","input":"x","include":["reasoning.encrypted_content"]}""", Operations.Responses)]
    [TestCase("""{"model":"m","input":[{"type":"reasoning","encrypted_content":null}]}""", Operations.Responses)]
    [TestCase("""{"model":"m","messages":[],"tools":[{"input_schema":{"properties":{"file_id":{"type":"string"}},"required":["file_id"]}}]}""", Operations.Messages)]
    [TestCase("""{"model":"m","input":["\"file_id\":\"x\""]}""", Operations.Embeddings)]
    public void What_only_looks_like_it_fails_over(string body, Operations operation) =>
        Assert.That(Choosing.Order(new Choosing(Choosing.Plain(3), Serve).Select(body, operation: operation)), Is.EqualTo("abc"));

    [TestCase(TargetBalance.InOrder)]
    [TestCase(TargetBalance.Weighted)]
    [TestCase(TargetBalance.LeastLoaded)]
    [TestCase(TargetBalance.Affinity)]
    public void A_conversation_goes_back_to_who_answered_it(TargetBalance balance)
    {
        var choosing = new Choosing(Choosing.Plain(5), (options, model) =>
        {
            Serve(options, model);
            model.Balance = balance;
        });
        foreach (var keeper in (string[])["d", "b"])
        {
            choosing.Select("""{"model":"m","input":"hi"}""", operation: Operations.Responses).Learn(keeper, Choosing.Model, Usage.None);
            Assert.That(Enumerable.Range(0, 20).Select(_ => Choosing.Order(choosing.Select(Encrypted, operation: Operations.Responses))), Is.All.EqualTo(keeper));
        }

        choosing.Select("""{"model":"m","input":"hi"}""", Choosing.CallerOf("another"), Operations.Responses).Learn("c", Choosing.Model, Usage.None);
        Assert.That(Choosing.Order(choosing.Select(Encrypted, operation: Operations.Responses)), Is.EqualTo("b"), "another caller's is another conversation");
    }

    [Test]
    public void A_session_is_remembered_rather_than_what_was_said_first()
    {
        var choosing = new Choosing(Choosing.Plain(3), Serve);
        (string, string)[] session = [("session_id", "s")];
        choosing.Select("""{"model":"m","input":"first"}""", null, Operations.Responses, session).Learn("c", Choosing.Model, Usage.None);
        Assert.That(Choosing.Order(choosing.Select(Encrypted, null, Operations.Responses, session)), Is.EqualTo("c"));
        Assert.That(Choosing.Order(choosing.Select(Encrypted, null, Operations.Responses)), Is.EqualTo("a"));
    }

    [Test]
    public void Where_nobody_remembers_and_chance_decides_one_that_is_ready_is_kept_to()
    {
        var choosing = new Choosing([(1, null), (1, null)], Serve);
        choosing.TakeOut("a");
        Assert.That(Enumerable.Range(0, 20).Select(_ => Choosing.Order(choosing.Select(Encrypted, operation: Operations.Responses))), Is.All.EqualTo("b"));
    }

    private static void Serve(LlmProxyOptions options, ModelOptions model)
    {
        foreach (var upstream in options.Upstreams.Values)
        {
            upstream.Operations.Add("+messages");
        }
    }
}
