using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Upstreams that cannot be reached, or do not answer in time.</summary>
public sealed class UpstreamDownTests : ProxyFixture
{
    [TestCase(false)]
    [TestCase(true)]
    public async Task U01_a_refused_connection_is_a_502_at_once(bool stream)
    {
        ScriptedUpstream gone = NewUpstream();
        Setup.Main.Url = gone.Url;
        await gone.DisposeAsync();
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(stream)), 502, "upstream_connect_error");
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Status, record.Upstream), Is.EqualTo(("upstream_connect_error", "upstream", 502, "main")));
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task U02_a_name_that_does_not_resolve_is_a_502_that_does_not_say_the_name()
    {
        Setup.Main.Url = new Uri("http://no-such-host.invalid/v1");
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Assert.That(response.Status, Is.EqualTo(502));
        Assert.That(response.Text, Does.Not.Contain("no-such-host"));
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task U05_a_close_before_any_byte_is_a_502()
    {
        Upstream.Otherwise(exchange =>
        {
            exchange.Close();
            return Task.CompletedTask;
        });
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request()), 502, code: null);
        ExpectUpstreamRequests(1);
    }

    [Test]
    public async Task U09_garbage_instead_of_a_status_line_is_a_502()
    {
        Upstream.Otherwise(async exchange =>
        {
            await exchange.SendAsync("SSH-2.0-OpenSSH_9.9\r\n");
            exchange.Close();
        });
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(stream: true)), 502, "upstream_protocol_error");
    }

    [TestCase(false, TestName = "U08_no_answer_before_the_first_event_is_due_is_a_504")]
    [TestCase(true, TestName = "U10_headers_and_then_no_event_in_time_are_a_504")]
    public async Task FirstEventTimeout(bool headers)
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.FirstEvent = TimeSpan.FromSeconds(10);
        Upstream.Next(async exchange =>
        {
            if (headers)
            {
                await exchange.StreamHeadAsync();
                await exchange.EventsAsync(Chat.Role());
            }

            await exchange.StallAsync();
        });
        RawResponse response = await AskUntilAnsweredAsync(clock, Chat.Request(stream: true), TimeSpan.FromSeconds(10));
        Contract.AssertError(response, 504, "upstream_timeout");
        await Deadline.Until(() => Upstream.OpenConnections == 0, what: "the connection to the upstream is given up");
    }

    [Test]
    public async Task An_answer_without_a_stream_has_its_own_clock()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Response = TimeSpan.FromSeconds(30);
        Setup.Main.Timeouts.FirstEvent = TimeSpan.FromSeconds(1);
        Upstream.Next(async exchange =>
        {
            await exchange.HeadAsync(200, ("Content-Type", "application/json"), ("Content-Length", "100"));
            await exchange.SendAsync("{\"id\":");
            await exchange.StallAsync();
        });
        RawResponse response = await AskUntilAnsweredAsync(clock, Chat.Request(), TimeSpan.FromSeconds(30));
        Contract.AssertError(response, 504, "upstream_timeout");
    }

    [Test]
    public async Task U11_silence_between_events_for_longer_than_idle_breaks_the_stream()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Idle = TimeSpan.FromSeconds(60);
        Upstream.Next(Replies.StreamThen([Chat.Delta("Hel")], exchange => exchange.StallAsync()));
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(Chat.Request(stream: true))).ReadHeadAsync();
        await response.ReadUntilAsync("Hel");
        Task<RawResponse> end = response.ReadToEndAsync();
        await AdvanceAsync(clock, end, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(55));
        Assert.That(response.End, Is.EqualTo(BodyEnd.Open), "not before it is due");
        await AdvanceUntilAsync(clock, end, TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(3));
        Contract.AssertBroken(await end, "upstream_idle_timeout");
    }

    [Test]
    public async Task The_client_s_own_timeout_is_an_upper_bound()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Upstream.Next(Replies.Silence);
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true), ChatPath, "x-stainless-timeout: 8");
        await Upstream.WaitForAsync();
        Task<RawResponse> answer = client.ReadAsync();
        await AdvanceUntilAsync(clock, answer, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(14));
        Contract.AssertError(await answer, 504, "upstream_timeout");
    }

    private async Task<RawResponse> AskUntilAnsweredAsync(FakeTimeProvider clock, string body, TimeSpan due)
    {
        await StartAsync();
        RawClient client = await SendJsonAsync(body);
        await Upstream.WaitForAsync();
        Task<RawResponse> answer = client.ReadAsync();
        await AdvanceAsync(clock, answer, TimeSpan.FromSeconds(1), due - TimeSpan.FromSeconds(2));
        Assert.That(answer.IsCompleted, Is.False, "not before it is due");
        await AdvanceUntilAsync(clock, answer, TimeSpan.FromSeconds(1), due * 2);
        return await answer;
    }

    private static async Task AdvanceUntilAsync(FakeTimeProvider clock, Task until, TimeSpan step, TimeSpan limit)
    {
        await clock.AdvanceUntilAsync(until, step, most: (int)(limit / step));
        await until;
    }

    /// <summary>Moves the clock in steps, with time to react in between.</summary>
    private static async Task AdvanceAsync(FakeTimeProvider clock, Task until, TimeSpan step, TimeSpan limit)
    {
        for (TimeSpan passed = TimeSpan.Zero; passed < limit && !until.IsCompleted; passed += step)
        {
            clock.Advance(step);
            await Task.WhenAny(until, Task.Delay(20));
        }
    }
}
