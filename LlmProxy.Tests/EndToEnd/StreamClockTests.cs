using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>The clocks of a stream that has begun.</summary>
public sealed class StreamClockTests : ProxyFixture
{
    private static readonly TimeSpan s_step = TimeSpan.FromSeconds(5);

    private FakeTimeProvider _clock = null!;

    [SetUp]
    public void UseClock() => _clock = Setup.UseFakeClock();

    [Test]
    [Category("U11")]
    public async Task U11_comments_of_the_upstream_are_no_sign_that_the_answer_goes_on()
    {
        Setup.Main.Timeouts.Idle = TimeSpan.FromSeconds(60);
        var beats = new SemaphoreSlim(0);
        Upstream.Next(Replies.StreamThen([Chat.Delta("Hel")], async exchange =>
        {
            while (true)
            {
                await exchange.PauseAsync(beats.WaitAsync());
                await exchange.ChunkAsync(": ping\n\n");
            }
        }));
        RawResponse response = await BegunAsync();
        Task<RawResponse> end = response.ReadToEndAsync();
        for (int i = 0; i < 100 && !end.IsCompleted; i++)
        {
            beats.Release();
            await StepAsync(end);
        }

        Contract.AssertBroken(await end, "upstream_idle_timeout");
        Assert.That(response.Text, Does.Contain(": ping\n\n"), "they pass all the same");
        Assert.That((await RecordAsync()).End, Is.EqualTo("upstream_idle_timeout"));
    }

    [Test]
    [Category("U12")]
    public async Task U12_a_slow_stream_is_never_cut_while_it_goes_on_and_hears_heartbeats()
    {
        Setup.Main.Timeouts.Idle = TimeSpan.FromSeconds(60);
        Setup.Main.Timeouts.Heartbeat = TimeSpan.FromSeconds(15);
        var turns = new SemaphoreSlim(0);
        string[] words = [.. Enumerable.Range(0, 12).Select(i => $" word{i}")];
        Upstream.Next(Replies.StreamThen([Chat.Delta("Hel")], async exchange =>
        {
            foreach (string word in words)
            {
                await exchange.PauseAsync(turns.WaitAsync());
                await exchange.EventsAsync(Chat.Delta(word));
            }

            await exchange.EventsAsync(Chat.Finish(), "[DONE]");
            await exchange.LastChunkAsync();
        }));
        RawResponse response = await BegunAsync();
        foreach (string word in words)
        {
            Task<RawResponse> beat = response.ReadUntilAsync(r => Beats(r) > 0 && r.Text.EndsWith(": keep-alive\n", StringComparison.Ordinal), "a heartbeat");
            for (int i = 0; i < 8; i++)
            {
                await StepAsync(beat);
            }

            await beat;
            turns.Release();
            await response.ReadUntilAsync(word);
        }

        Contract.AssertWhole(await response.ReadToEndAsync(), Sse.Whole([Chat.Delta("Hel"), .. words.Select(w => Chat.Delta(w)), Chat.Finish()]));
        Assert.That(Beats(response), Is.GreaterThanOrEqualTo(words.Length));
    }

    [Test]
    [Category("U13")]
    public async Task U13_a_stream_that_takes_longer_than_all_may_is_broken()
    {
        Setup.Main.Timeouts.Total = TimeSpan.FromSeconds(120);
        var turns = new SemaphoreSlim(0);
        Upstream.Next(Replies.StreamThen([Chat.Delta("Hel")], async exchange =>
        {
            while (true)
            {
                await exchange.PauseAsync(turns.WaitAsync());
                await exchange.EventsAsync(Chat.Delta("lo"));
            }
        }));
        RawResponse response = await BegunAsync();
        Task<RawResponse> end = response.ReadToEndAsync();
        TimeSpan passed = TimeSpan.Zero;
        for (; passed < TimeSpan.FromMinutes(10) && !end.IsCompleted; passed += s_step)
        {
            turns.Release();
            await StepAsync(end);
        }

        Contract.AssertBroken(await end, "deadline_exceeded");
        Assert.That(passed, Is.GreaterThanOrEqualTo(TimeSpan.FromSeconds(120)));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Status), Is.EqualTo(("deadline_exceeded", 200)));
    }

    [Test]
    [Category("U13")]
    public async Task U13_before_the_first_event_the_deadline_is_a_504()
    {
        Setup.Main.Timeouts.Total = TimeSpan.FromSeconds(30);
        Upstream.Next(Replies.Silence);
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request());
        await Upstream.WaitForAsync();
        Task<RawResponse> answer = client.ReadAsync();
        for (int i = 0; i < 40 && !answer.IsCompleted; i++)
        {
            await StepAsync(answer);
        }

        Contract.AssertError(await answer, 504, "deadline_exceeded");
    }

    private static int Beats(RawResponse response) => response.Text.Split(": keep-alive\n").Length - 1;

    private async Task<RawResponse> BegunAsync()
    {
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(Chat.Request(stream: true))).ReadHeadAsync();
        return await response.ReadUntilAsync("Hel");
    }

    private async Task StepAsync(Task until)
    {
        _clock.Advance(s_step);

        // What the step wakes runs on other threads; what comes later than this comes with the next step.
        await Task.WhenAny(until, Task.Delay(15));
    }
}
