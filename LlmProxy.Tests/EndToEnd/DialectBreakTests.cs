using System.Text.Json.Nodes;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Streams of Responses and Messages that break: each is told in its own dialect, and none ends as a whole one does.</summary>
public sealed class DialectBreakTests : ProxyFixture
{
    private static readonly (string Row, string Ending)[] s_rows =
    [
        ("U14", "reset"), ("U15", "close-in-chunk"), ("U15", "close-between-chunks"), ("U16", "clean-end"), ("U16", "clean-end-in-event"),
        ("U19", "html-in-stream"), ("U21", "oversized-event"), ("U43", "error-event-clean-end"), ("U43", "error-event-then-done"),
        ("U43", "error-event-then-reset"),
    ];

    public static IEnumerable<TestCaseData> Breaks() =>
        from dialect in (string[])["messages", "responses"]
        from row in s_rows
        select new TestCaseData(dialect, row.Ending)
            .SetName($"{row.Row}_{row.Ending.Replace('-', '_')}_breaks_a_stream_of_{dialect}").SetCategory(row.Row);

    [TestCaseSource(nameof(Breaks))]
    public async Task IsTold(string dialect, string ending)
    {
        StreamSample sample = Use(dialect);
        Setup.Options.Limits.Event = StreamEnding.LargestEvent;
        StreamEnding broken = StreamEnding.Of(sample).Single(e => e.Name == ending);
        Upstream.Next(broken.Script);
        await StartAsync();
        RawResponse response = await PostAsync(Request(dialect), "/v1/" + dialect);
        AssertBroken(dialect, sample, response);
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Status, record.Operation), Is.EqualTo((broken.End, "upstream", 200, dialect)));
    }

    [TestCase("messages")]
    [TestCase("responses")]
    [Category("U11")]
    public async Task U11_silence_for_longer_than_idle_breaks_a_stream_of(string dialect)
    {
        StreamSample sample = Use(dialect);
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Idle = TimeSpan.FromSeconds(60);
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
        Upstream.Next(StreamEnding.Silence(sample));
        await StartAsync();
        (_, RawResponse response) = await BegunAsync(dialect);
        Task<RawResponse> end = response.ReadToEndAsync();
        await clock.AdvanceUntilAsync(end, TimeSpan.FromSeconds(5), most: 100);
        AssertBroken(dialect, sample, await end);
        Assert.That((await RecordAsync()).End, Is.EqualTo("upstream_idle_timeout"));
    }

    [TestCase("messages", false, TestName = "C30_a_client_that_closes_within_messages_takes_the_upstream_request_with_it", Category = "C30")]
    [TestCase("messages", true, TestName = "C30_a_client_that_resets_within_messages_takes_the_upstream_request_with_it", Category = "C30")]
    [TestCase("responses", false, TestName = "C30_a_client_that_closes_within_responses_takes_the_upstream_request_with_it", Category = "C30")]
    [TestCase("responses", true, TestName = "C30_a_client_that_resets_within_responses_takes_the_upstream_request_with_it", Category = "C30")]
    public async Task ClientLeaves(string dialect, bool reset)
    {
        Upstream.Next(StreamEnding.Silence(Use(dialect)));
        await StartAsync();
        (RawClient client, _) = await BegunAsync(dialect);
        if (reset)
        {
            client.Reset();
        }
        else
        {
            client.Close();
        }

        await Deadline.Until(() => Upstream.OpenConnections == 0, TimeSpan.FromSeconds(2), "the upstream's connection is given up");
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Status), Is.EqualTo(("client_disconnect", "client", 200)));
    }

    [TestCase("messages")]
    [TestCase("responses")]
    [Category("U25")]
    public async Task U25_an_error_with_a_good_status_instead_of_a_stream_is_an_error_of(string dialect)
    {
        Use(dialect);
        Upstream.Next(Replies.Json(200, Chat.Error($"The engine of {Canary.UpstreamKey} burns.")));
        await StartAsync();
        RawResponse response = await PostAsync(Request(dialect), "/v1/" + dialect);
        Assert.That(response.Status, Is.EqualTo(502), response.Text);
        JsonObject error = response.Json["error"]!.AsObject();
        Assert.That((string?)error["message"], Does.Contain("burns").And.Not.Contain(Canary.UpstreamKey));
        Assert.That((string?)response.Json["type"], Is.EqualTo(dialect == "messages" ? "error" : null));
        Assert.That((await RecordAsync()).End, Is.EqualTo("upstream_error"));
    }

    private static string Request(string dialect) =>
        dialect == "messages" ? MessageEvents.Request(stream: true) : ResponseEvents.Request(stream: true);

    private static void AssertBroken(string dialect, StreamSample sample, RawResponse response)
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That((response.Status, response.End), Is.EqualTo((200, BodyEnd.Unterminated)));
            Assert.That(response.Text, Does.StartWith(sample.Begun).And.EndWith("\n\n"), "what was whole, and whole events only");
            Assert.That(response.Text, Does.Not.Contain("message_stop").And.Not.Contain("response.completed").And.Not.Contain("[DONE]"));
        }

        JsonObject last = JsonNode.Parse(Sse.Data(response.Text)[^1])!.AsObject();
        if (dialect == "messages")
        {
            Assert.That((string?)last["type"], Is.EqualTo("error"));
            Assert.That((string?)last["error"]!["message"], Is.Not.Empty);
        }
        else
        {
            Assert.That(((string?)last["type"], (int?)last["sequence_number"]), Is.EqualTo(("response.failed", (int?)4)), "the number after the last one's");
            Assert.That(((string?)last["response"]!["status"], (string?)last["response"]!["id"]), Is.EqualTo(("failed", "resp_7")));
        }
    }

    private StreamSample Use(string dialect)
    {
        Setup.Main.Kind = dialect == "messages" ? UpstreamKind.Anthropic : UpstreamKind.OpenAI;
        return dialect == "messages" ? StreamSample.Messages : StreamSample.Responses;
    }

    private async Task<(RawClient Client, RawResponse Response)> BegunAsync(string dialect)
    {
        RawClient client = await SendJsonAsync(Request(dialect), "/v1/" + dialect);
        RawResponse response = await client.ReadHeadAsync();
        return (client, await response.ReadUntilAsync("Hello"));
    }
}
