using System.Text.Json.Nodes;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Forwarding;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Where the configuration says so, what runs by a key ends with the key: how that is told, charged and cleared away.</summary>
public sealed class KeyCutTests : KeyCutFixture
{
    [TestCase("chat/completions")]
    [TestCase("messages")]
    [TestCase("responses")]
    public async Task P08_a_stream_whose_key_is_revoked_is_broken_in_its_own_dialect(string path)
    {
        (StreamSample sample, string request) = path switch
        {
            "messages" => (StreamSample.Messages, MessageEvents.Request(stream: true)),
            "responses" => (StreamSample.Responses, ResponseEvents.Request(stream: true)),
            _ => (StreamSample.Chat, Chat.Request(stream: true)),
        };
        Setup.Main.Kind = path == "messages" ? UpstreamKind.Anthropic : UpstreamKind.OpenAI;
        Upstream.Otherwise(StreamEnding.Silence(sample));
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna");
        RawResponse response = await BeginAsync(made.Secret!, "/v1/" + path, request);
        await Keys.RevokeAsync("anna");
        await response.ReadToEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.End, Is.EqualTo(BodyEnd.Unterminated));
            Assert.That(response.Text, Does.StartWith(sample.Begun).And.EndWith("\n\n"));
            Assert.That(response.Text, Does.Not.Contain("message_stop").And.Not.Contain("response.completed").And.Not.Contain("[DONE]"));
        }

        JsonObject last = JsonNode.Parse(Sse.Data(response.Text)[^1])!.AsObject();
        JsonObject error = (last["response"] ?? last)["error"]!.AsObject();
        Assert.That((string?)error["message"], Does.Contain("has ended while the request ran"));
        Assert.That(((string?)last["type"], (string?)error["code"]), Is.EqualTo(path switch
        {
            "messages" => ("error", null),
            "responses" => ("response.failed", "key_revoked"),
            _ => ((string?)null, "key_revoked"),
        }));
        await AssertCutAsync(200);
    }

    [Test]
    public async Task P08_what_was_relayed_is_charged_once_and_the_place_is_free()
    {
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna", "{\"Concurrent\": 1, \"Budget\": {\"Day\": 100}}");
        RawResponse response = await BeginAsync(made.Secret!);
        await Keys.SetDisabledAsync("anna", isDisabled: true);
        Contract.AssertBroken(await response.ReadToEndAsync(), "key_revoked");
        LedgerRow row = await AssertCutAsync(200);
        Assert.That((row.InputTokens, row.OutputTokens, row.UsageSource), Is.EqualTo((row.InputTokens, (long?)2, "estimate")), "the prompt and five letters");
        Assert.That(row.Cost, Is.EqualTo((row.InputTokens * 0.001m) + 0.004m).And.GreaterThan(0.004m));
        await Deadline.Until(() => Limits().SequenceEqual([("concurrent", 0m), ("usd", row.Cost!.Value)]), what: "the place to be free, and the budget to have what the row has");

        await Keys.SetDisabledAsync("anna", isDisabled: false);
        Upstream.Otherwise(Replies.LikeOpenAI);
        Assert.That((await (await SendAsync(Request(made.Secret!, ChatPath, Chat.Request()))).ReadAsync()).Status, Is.EqualTo(200));

        IEnumerable<(string, decimal)> Limits() => App.Services.GetRequiredService<LlmProxyLimits>().OfKey("anna").Select(limit => (limit.Of, limit.Used));
    }

    [TestCase("before an answer", 1)]
    [TestCase("before an answer", 7)]
    [TestCase("within a body", 0)]
    [TestCase("in a queue", 0)]
    public async Task P08_a_request_without_an_answer_is_refused_and_its_upstream_is_let_go_without_blame(string where, int sent)
    {
        Setup.Main.Concurrent = where == "in a queue" ? 1 : 0;
        Upstream.Otherwise(Replies.Silence);
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna");
        RawClient? other = null;
        if (where == "in a queue")
        {
            other = await SendJsonAsync(Chat.Request());
            await Upstream.WaitForAsync();
        }

        byte[] request = Request(made.Secret!, ChatPath, Chat.Request());
        var clients = new List<RawClient>();
        for (int i = 0; i < Math.Max(1, sent); i++)
        {
            clients.Add(await SendAsync(where == "within a body" ? request.AsMemory(0, request.Length - 10) : request));
        }

        int all = clients.Count + (other is null ? 0 : 1);
        await Deadline.Until(() => App.Services.GetRequiredService<ClockWheel>().Watched == all, what: "all requests to be let in");
        await Deadline.Until(() => Upstream.Requests.Count == sent + (other is null ? 0 : 1), what: "those that are sent");
        await Deadline.Until(() => Main.Waiting == (where == "in a queue" ? 1 : 0), what: "who waits to wait");

        await Keys.RevokeAsync("anna");
        foreach (RawClient client in clients)
        {
            JsonObject error = Contract.AssertError(await client.ReadAsync(), 401, "key_revoked");
            Assert.That((string?)error["message"], Does.Contain("while the request ran"));
        }

        await Deadline.Until(() => Proxy.Records.Count == clients.Count, what: "the records");
        Assert.That(Proxy.Records.Select(r => (r.End, r.Blame, r.Status)), Is.All.EqualTo(("key_revoked", "client", 401)));
        IReadOnlyList<LedgerRow> rows = where == "within a body" ? [] : await RowsAsync(clients.Count);
        Assert.That(rows.Select(row => (row.UsageSource, row.OutputTokens, row.Cost > 0)), Is.All.EqualTo(sent > 0 ? ("estimate", (long?)0, true) : ("none", null, false)));
        Assert.That((Main.Condition, Main.InFlight, Main.Pauses), Is.EqualTo((UpstreamCondition.Ok, other is null ? 0 : 1, Array.Empty<ModelPause>())));
        if (other is not null)
        {
            other.Close();
            ExpectUpstreamRequests(1);
        }
    }

    [Test]
    public async Task P08_a_stream_of_heartbeats_alone_is_told_within_it()
    {
        Setup.Main.Timeouts.Heartbeat = TimeSpan.FromMilliseconds(300);
        Upstream.Otherwise(Replies.Silence);
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna");
        RawResponse response = await BeginAsync(made.Secret!, until: ": keep-alive");
        await Keys.RevokeAsync("anna");
        Contract.AssertBroken(await response.ReadToEndAsync(), "key_revoked");
        await AssertCutAsync(200);
    }

    [Test]
    public async Task P08_a_stream_whose_choices_have_all_finished_is_whole()
    {
        Upstream.Otherwise(Replies.StreamThen(Chat.Words("Hello"), exchange => exchange.StallAsync()));
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna");
        RawResponse response = await BeginAsync(made.Secret!, until: "\"stop\"");
        await Keys.RevokeAsync("anna");
        Contract.AssertWhole(await response.ReadToEndAsync(), Sse.Whole(Chat.Words("Hello")));
        Assert.That((await RowAsync()).End, Is.EqualTo("ok"));
    }

    [Test]
    public async Task P08_those_who_share_a_call_all_end_and_one_of_them_pays()
    {
        Setup.Mini.Coalesce = true;
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna");
        string request = Chat.Request(stream: true, more: ",\"temperature\":0");
        RawResponse first = await BeginAsync(made.Secret!, request: request);
        RawResponse second = await BeginAsync(made.Secret!, request: request);
        Assert.That(Upstream.Requests, Has.Count.EqualTo(1));
        await Keys.RevokeAsync("anna");
        Contract.AssertBroken(await first.ReadToEndAsync(), "key_revoked");
        Contract.AssertBroken(await second.ReadToEndAsync(), "key_revoked");
        await Deadline.Until(() => Upstream.OpenConnections == 0, Soon, "the upstream's connection is given up");
        IReadOnlyList<LedgerRow> rows = await RowsAsync(2);
        Assert.That(rows.Count(row => row.CoalescedWith is null && row.Cost > 0), Is.EqualTo(1));
        Assert.That(rows.Count(row => row.CoalescedWith is not null && row.Cost == 0), Is.EqualTo(1));
    }
}
