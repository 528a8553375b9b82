using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A client says how long it waits.</summary>
public sealed class ClientTimeoutTests : FailoverFixture
{
    private FakeTimeProvider _clock = null!;

    [SetUp]
    public void StopTheClock()
    {
        InProcessOnly("the clock stands still");
        _clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.FirstEvent = Setup.Main.Timeouts.Response = TimeSpan.FromSeconds(60);
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
        Setup.Options.Upstreams["spare"].Timeouts = Setup.Main.Timeouts;
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task All_attempts_together_take_no_longer(bool stream)
    {
        Upstream.Otherwise(Replies.Silence);
        Spare.Otherwise(Replies.Silence);
        await StartAsync();
        Task<RawResponse> answer = (await SendJsonAsync(Chat.Request(stream), ChatPath, "x-stainless-timeout: 75")).ReadAsync();
        await Upstream.WaitForAsync();
        await AdvanceUntilAsync(_clock, Spare.WaitForAsync(), TimeSpan.FromSeconds(1));
        TimeSpan passed = await _clock.AdvanceAsync(answer, TimeSpan.FromMinutes(5));
        Contract.AssertError(await answer, 504, "upstream_timeout");
        Assert.That(passed, Is.LessThan(TimeSpan.FromSeconds(25)), "of the minute that the second would have");
        AssertSeen(1, 1);
    }

    [Test]
    public async Task A_stream_that_has_begun_may_take_longer()
    {
        var gate = new TaskCompletionSource();
        Upstream.Next(Replies.StreamThen([Chat.Delta("Hel")], async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await exchange.EventsAsync(Chat.Finish(), "[DONE]");
            await exchange.LastChunkAsync();
        }));
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(Chat.Request(stream: true), ChatPath, "x-stainless-timeout: 8")).ReadHeadAsync();
        await response.ReadUntilAsync("Hel");
        for (int i = 0; i < 10; i++)
        {
            // Whatever cuts a stream off does so before this returns.
            _clock.Advance(TimeSpan.FromSeconds(4));
        }

        gate.SetResult();
        await response.ReadToEndAsync();
        Assert.That(response.End, Is.EqualTo(BodyEnd.Whole));
        AssertSeen(1, 0);
    }

    [Test]
    public async Task One_who_waits_for_a_moment_only_does_not_take_an_upstream_from_the_others()
    {
        Setup.Main.Breaker.Requests = 2;
        UseMainAlone();
        Upstream.Otherwise(Replies.Silence);
        await StartAsync();
        for (int i = 1; i <= 3; i++)
        {
            Task<RawResponse> answer = (await SendJsonAsync(Chat.Request(), ChatPath, "x-stainless-timeout: 2")).ReadAsync();
            await Upstream.WaitForAsync(i);
            await AdvanceUntilAsync(_clock, answer, TimeSpan.FromSeconds(1));
            Contract.AssertError(await answer, 504, "upstream_timeout");
        }

        Assert.That(Leaks.StateOf(App, "main").Breaker.IsOpen, Is.False);
        AssertSeen(3, 0);
    }
}
