using System.Text.Json.Nodes;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Clients of Responses ignore comments: what keeps them awake is an event.</summary>
public sealed class ResponsesHeartbeatTests : ProxyFixture
{
    private const string Comment = ": keep-alive\n";

    private FakeTimeProvider _clock = null!;
    private TaskCompletionSource _gate = null!;

    [SetUp]
    public void UseClock()
    {
        _clock = Setup.UseFakeClock();
        _gate = new TaskCompletionSource();
        Setup.Main.Kind = UpstreamKind.OpenAI;
        Setup.Main.Timeouts.FirstEvent = TimeSpan.Zero;
        Setup.Main.Timeouts.Idle = TimeSpan.Zero;
        Setup.Main.Timeouts.Total = TimeSpan.Zero;
    }

    [Test]
    public async Task Held_events_go_out_with_the_first_heartbeat_and_are_repeated_after_it()
    {
        string rest = ResponseEvents.Delta("Hi", 2) + ResponseEvents.Completed(3);
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(ResponseEvents.Begun);
            await exchange.PauseAsync(_gate.Task);
            await exchange.ChunkAsync(rest);
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawClient client = await SendJsonAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
        await Upstream.WaitForAsync();
        Task<RawResponse> head = client.ReadHeadAsync();
        await AdvanceUntilAsync(head);
        RawResponse response = await head;
        await AdvanceUntilAsync(response.ReadUntilAsync(ResponseEvents.Begun));
        await AdvanceUntilAsync(response.ReadUntilAsync(r => Sse.Data(r.Text).Length > 2 && r.Text.EndsWith("\n\n", StringComparison.Ordinal), "a repeated event"));
        _gate.SetResult();
        await response.ReadToEndAsync();

        string text = response.Text.Replace(Comment, "", StringComparison.Ordinal);
        string[] data = Sse.Data(text);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.End, Is.EqualTo(BodyEnd.Whole));
            Assert.That(text, Does.StartWith(ResponseEvents.Begun).And.EndWith(rest));
            foreach (string repeated in data[2..^2])
            {
                JsonObject heartbeat = JsonNode.Parse(repeated)!.AsObject();
                Assert.That(((string?)heartbeat["type"], (long?)heartbeat["sequence_number"]), Is.EqualTo(("response.in_progress", 1L)));
                Assert.That((string?)heartbeat["response"]!["id"], Is.EqualTo(ResponseEvents.Id));
            }
        }

        Assert.That((await RecordAsync()).End, Is.EqualTo("ok"));
    }

    [Test]
    public async Task Before_the_upstream_says_anything_a_comment_goes_out_and_commits_nothing()
    {
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(_gate.Task);
            await Replies.Json(500, Chat.Error("It burns."))(exchange);
        });
        await StartAsync();
        RawClient client = await SendJsonAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
        await Upstream.WaitForAsync();
        Task<RawResponse> head = client.ReadHeadAsync();
        await AdvanceUntilAsync(head);
        RawResponse response = await (await head).ReadUntilAsync(Comment);
        _gate.SetResult();
        await response.ReadToEndAsync();
        JsonObject data = JsonNode.Parse(Sse.Data(response.Text).Single())!.AsObject();
        Assert.That(response.End, Is.EqualTo(BodyEnd.Unterminated));
        Assert.That(((string?)data["type"], (long?)data["sequence_number"]), Is.EqualTo(("response.failed", 0L)));
    }

    [Test]
    public async Task The_clock_of_the_first_event_goes_on_after_the_held_ones_went_out()
    {
        Setup.Main.Timeouts.FirstEvent = TimeSpan.FromMinutes(10);
        Setup.Main.Timeouts.Idle = TimeSpan.FromMinutes(1);
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(ResponseEvents.Begun);
            await exchange.StallAsync();
        });
        await StartAsync();
        RawClient client = await SendJsonAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
        await Upstream.WaitForAsync();
        Task<RawResponse> head = client.ReadHeadAsync();
        await AdvanceUntilAsync(head);
        RawResponse response = await head;
        await AdvanceUntilAsync(response.ReadToEndAsync());
        Assert.That(response.End, Is.EqualTo(BodyEnd.Unterminated));
        Assert.That((await RecordAsync()).End, Is.EqualTo("upstream_timeout"), "not the idle clock's upstream_idle_timeout");
    }

    private async Task AdvanceUntilAsync(Task done)
    {
        await _clock.AdvanceUntilAsync(done, TimeSpan.FromSeconds(16), momentMs: 100, most: 200);
        await done;
    }
}
