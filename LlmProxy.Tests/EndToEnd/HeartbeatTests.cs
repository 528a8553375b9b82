using System.Text;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Comments into silence, on a clock that only moves when told.</summary>
public sealed class HeartbeatTests : ProxyFixture
{
    private const string Heartbeat = ": keep-alive\n";

    private FakeTimeProvider _clock = null!;

    [SetUp]
    public void UseClock()
    {
        _clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.FirstEvent = TimeSpan.Zero;
        Setup.Main.Timeouts.Idle = TimeSpan.Zero;
        Setup.Main.Timeouts.Total = TimeSpan.Zero;
    }

    [TestCase(10, TestName = "{m}_of_10_bytes")]
    [TestCase(300, TestName = "{m}_of_300_bytes")]
    [TestCase(5_000, TestName = "{m}_of_5_KB")]
    public async Task One_due_at_every_point_of_a_slow_event_never_corrupts_it(int size)
    {
        string before = Sse.Event(Chat.Delta("first"));
        string slow = size < 100 ? "data: 12\n\n" : Sse.Event(Chat.Delta(new string('z', size - 200)));
        string after = Sse.Event(Chat.Finish()) + Sse.Done;
        int step = Math.Max(1, slow.Length / 150);
        var turns = new SemaphoreSlim(0);
        int sent = 0;
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(before);
            for (int i = 0; i < slow.Length; i += step)
            {
                await exchange.PauseAsync(turns.WaitAsync());
                await exchange.ChunkAsync(slow[i..Math.Min(slow.Length, i + step)]);
                await exchange.TakenAsync();
                Interlocked.Increment(ref sent);
            }

            await exchange.PauseAsync(turns.WaitAsync());
            await exchange.ChunkAsync(after);
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(Chat.Request(stream: true))).ReadHeadAsync();
        await response.ReadUntilAsync(before);
        for (int i = 0; i <= (slow.Length - 1) / step; i++)
        {
            turns.Release();
            await Deadline.Until(() => Volatile.Read(ref sent) == i + 1);
            await AdvanceToNextHeartbeatAsync(response);
        }

        turns.Release();
        Contract.AssertWhole(await response.ReadToEndAsync(), before + slow + after);
    }

    [Test]
    public async Task One_before_the_first_event_commits_the_status_and_the_stream_goes_on_under_it()
    {
        var gate = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await Replies.Stream(Chat.Words("Hi"))(exchange);
        });
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await Upstream.WaitForAsync();
        Task<RawResponse> head = client.ReadHeadAsync();
        await AdvanceUntilAsync(head);
        RawResponse response = await head;
        await response.ReadUntilAsync(Heartbeat);
        gate.SetResult();
        Contract.AssertWhole(await response.ReadToEndAsync(), Sse.Whole(Chat.Words("Hi")));
    }

    [Test]
    public async Task After_one_a_failure_before_the_first_event_is_an_error_event_and_no_clean_end()
    {
        var gate = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await Replies.Json(500, Chat.Error("It burns."))(exchange);
        });
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await Upstream.WaitForAsync();
        Task<RawResponse> head = client.ReadHeadAsync();
        await AdvanceUntilAsync(head);
        gate.SetResult();
        Contract.AssertBroken(await (await head).ReadToEndAsync(), code: null);
    }

    [Test]
    public async Task None_is_sent_while_events_come_in_time_or_when_it_is_switched_off()
    {
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
        var gate = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.EventsAsync(Chat.Delta("a"));
            await exchange.PauseAsync(gate.Task);
            await exchange.EventsAsync(Chat.Finish(), "[DONE]");
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(Chat.Request(stream: true))).ReadHeadAsync();
        await response.ReadUntilAsync("\n\n");
        _clock.Advance(TimeSpan.FromMinutes(10));
        gate.SetResult();
        await response.ReadToEndAsync();
        Assert.That(response.Text, Is.EqualTo(Sse.Whole(Chat.Delta("a"), Chat.Finish())));
    }

    private async Task AdvanceToNextHeartbeatAsync(RawResponse response)
    {
        int before = Count(response);
        Task<RawResponse> next = response.ReadUntilAsync(r => Count(r) > before, "another heartbeat");
        await AdvanceUntilAsync(next);
        await next;
    }

    /// <summary>Sixteen seconds at a time: a wait that had not begun when the clock moved sees the next move.</summary>
    private Task AdvanceUntilAsync(Task done) => _clock.AdvanceUntilAsync(done, TimeSpan.FromSeconds(16), momentMs: 100, most: 200);

    private static int Count(RawResponse response) =>
        Encoding.UTF8.GetString(response.Body.Span).Split(Heartbeat).Length - 1;
}
