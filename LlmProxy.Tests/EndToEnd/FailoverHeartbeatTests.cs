using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A heartbeat commits the status, not the attempt: failover goes on under it.</summary>
public sealed class FailoverHeartbeatTests : FailoverFixture
{
    private const string Comment = ": keep-alive\n";

    private FakeTimeProvider _clock = null!;
    private TaskCompletionSource _gate = null!;

    [SetUp]
    public void UseClock()
    {
        _clock = Setup.UseFakeClock();
        _gate = new TaskCompletionSource();
        foreach (UpstreamOptions upstream in Setup.Options.Upstreams.Values)
        {
            upstream.Kind = UpstreamKind.OpenAI;
            upstream.Timeouts.FirstEvent = TimeSpan.Zero;
            upstream.Timeouts.Total = TimeSpan.Zero;
        }
    }

    [Test]
    public async Task After_one_the_next_target_answers_in_the_stream_that_was_begun()
    {
        Upstream.Otherwise(FailWhenOpened);
        RawResponse response = await BegunAsync(Chat.Request(stream: true), ChatPath);
        _gate.SetResult();
        Contract.AssertWhole(await response.ReadToEndAsync(), Sse.Whole(Chat.Words("Hello", " there")));
        Assert.That((await RecordAsync()).Tried, Is.EqualTo("main upstream_error, spare ok"));
        AssertSeen(1, 1);
    }

    [Test]
    public async Task After_one_a_failure_of_all_is_one_error_event_and_no_clean_end()
    {
        Upstream.Otherwise(FailWhenOpened);
        Spare.Otherwise(Replies.Json(503, Chat.Error("Nor I.")));
        RawResponse response = await BegunAsync(Chat.Request(stream: true), ChatPath);
        _gate.SetResult();
        Contract.AssertBroken(await response.ReadToEndAsync(), "upstream_error");
        AssertSeen(1, 1);
    }

    [Test]
    public async Task In_Responses_too_as_long_as_no_event_was_held()
    {
        Upstream.Otherwise(FailWhenOpened);
        Spare.Otherwise(Replies.StreamOf(ResponseEvents.Whole("Hi")));
        RawResponse response = await BegunAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
        _gate.SetResult();
        await response.ReadToEndAsync();
        Assert.That((response.End, response.Text.Replace(Comment, "", StringComparison.Ordinal)), Is.EqualTo((BodyEnd.Whole, ResponseEvents.Whole("Hi"))));
        AssertSeen(1, 1);
    }

    [Test]
    public async Task In_Responses_what_was_held_goes_out_with_it_and_that_commits()
    {
        Upstream.Otherwise(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(ResponseEvents.Begun);
            await exchange.PauseAsync(_gate.Task);
            exchange.Reset();
        });
        RawResponse response = await BegunAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
        Task<RawResponse> held = response.ReadUntilAsync(ResponseEvents.Begun);
        await AdvanceUntilAsync(_clock, held, TimeSpan.FromSeconds(16));
        _gate.SetResult();
        await response.ReadToEndAsync();
        Assert.That((response.End, Sse.Data(response.Text)[^1].Contains("response.failed", StringComparison.Ordinal)), Is.EqualTo((BodyEnd.Unterminated, true)), response.Text);
        AssertSeen(1, 0);
    }

    [Test]
    public async Task In_Responses_held_events_of_one_that_failed_are_not_sent()
    {
        Upstream.Otherwise(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(ResponseEvents.Begun);
            await exchange.TakenAsync();
            exchange.Reset();
        });
        Spare.Otherwise(Replies.StreamOf(ResponseEvents.Whole("Hi")));
        await StartAsync();
        RawResponse response = await PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
        Assert.That((response.End, response.Text), Is.EqualTo((BodyEnd.Whole, ResponseEvents.Whole("Hi"))));
        AssertSeen(1, 1);
    }

    private async Task<RawResponse> BegunAsync(string request, string path)
    {
        await StartAsync();
        RawClient client = await SendJsonAsync(request, path);
        await Upstream.WaitForAsync();
        Task<RawResponse> head = client.ReadHeadAsync();
        await AdvanceUntilAsync(_clock, head, TimeSpan.FromSeconds(16));
        return await (await head).ReadUntilAsync(Comment);
    }

    private async Task FailWhenOpened(UpstreamExchange exchange)
    {
        await exchange.PauseAsync(_gate.Task);
        await Replies.Json(500, Chat.Error("It burns."))(exchange);
    }
}
