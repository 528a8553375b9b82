using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>An upstream closes a connection that it kept, in the moment in which it is used again.</summary>
[Category("U07")]
public sealed class KeptConnectionTests : ProxyFixture
{
    [TestCase(true, false, TestName = "U07_a_kept_connection_that_is_reset_as_it_is_used_is_not_seen_by_the_client")]
    [TestCase(false, false, TestName = "U07_a_kept_connection_that_is_closed_as_it_is_used_is_not_seen_by_the_client")]
    [TestCase(true, true, TestName = "U07_a_kept_connection_that_is_reset_as_a_stream_is_asked_for_is_not_seen_by_the_client")]
    public async Task NotSeen(bool reset, bool stream)
    {
        Upstream.Next(Replies.LikeOpenAI);
        Upstream.Next(Lose(reset));
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request(stream))).Status, Is.EqualTo(200));
        RawResponse second = await PostAsync(Chat.Request(stream));
        Assert.That((second.Status, second.End), Is.EqualTo((200, BodyEnd.Whole)), second.Text);
        await Deadline.Until(() => Proxy.Records.Count == 2);
        Assert.That(Proxy.Records.Select(r => (r.Attempts, r.End)), Is.EqualTo(new[] { (1, "ok"), (2, "ok") }), "the second attempt is counted");
        Assert.That(Upstream.Requests.Select(r => r.Connection), Is.EqualTo(new[] { 0, 0, 1 }));
        Assert.That(Upstream.Requests[2].Text, Is.EqualTo(Upstream.Requests[1].Text));
        ExpectUpstreamRequests(3);
    }

    [Test]
    public async Task U07_a_connection_lost_under_a_large_body_is_not_seen_by_the_client()
    {
        Upstream.Next(Replies.LikeOpenAI);
        Upstream.Next(exchange =>
        {
            Upstream.ReadsBodiesFirst = true;
            return Lose(reset: true)(exchange);
        });
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Upstream.ReadsBodiesFirst = false;
        RawResponse second = await PostAsync(Chat.Request(more: ",\"user\":\"" + new string('x', 8_000_000) + "\""));
        Assert.That(second.Status, Is.EqualTo(200), second.Text);
        Assert.That(Upstream.Requests[2].Body, Has.Length.GreaterThan(8_000_000));
        ExpectUpstreamRequests(3);
    }

    [Test]
    public async Task U07_it_is_asked_once_more_and_not_again()
    {
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Upstream.Otherwise(Lose(reset: true));
        Contract.AssertError(await PostAsync(Chat.Request()), 502, "upstream_reset");
        await Deadline.Until(() => Proxy.Records.Count == 2);
        Assert.That(Proxy.Records[1].Attempts, Is.EqualTo(2));
        ExpectUpstreamRequests(3);
    }

    [Test]
    public async Task U07_asking_once_more_counts_as_an_attempt_though_it_ends_in_the_caller_s_own_fault()
    {
        Setup.Options.Failover = new FailoverOptions { BudgetPercent = 0, BudgetLeast = 1 };
        Upstream.Next(Replies.LikeOpenAI);
        Upstream.Next(Lose(reset: true));
        Upstream.Next(Replies.Json(400, Chat.Error("No.")));
        Upstream.Next(Lose(reset: true));
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(400));
        Contract.AssertError(await PostAsync(Chat.Request()), 502, "upstream_reset");
        ExpectUpstreamRequests(4);
    }

    [Test]
    public async Task U07_asking_once_more_takes_no_more_time_than_asking_once()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Response = TimeSpan.FromSeconds(60);
        var gate = new TaskCompletionSource();
        Upstream.Next(Replies.LikeOpenAI);
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            exchange.Reset();
        });
        Upstream.Next(Replies.Silence);
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Task<RawResponse> answer = (await SendJsonAsync(Chat.Request())).ReadAsync();
        await Upstream.WaitForAsync(2);
        TimeSpan passed = await clock.AdvanceAsync(answer, TimeSpan.FromSeconds(50));
        gate.SetResult();
        await Upstream.WaitForAsync(3);
        passed += await clock.AdvanceAsync(answer, TimeSpan.FromMinutes(5));
        Contract.AssertError(await answer, 504, "upstream_timeout");
        Assert.That(passed, Is.InRange(TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(75)));
        ExpectUpstreamRequests(3);
    }

    [TestCase("H", TestName = "U07_after_one_byte_of_an_answer_nothing_is_asked_again")]
    [TestCase("HTTP/1.1 200 OK\r\n", TestName = "U07_after_a_status_line_nothing_is_asked_again")]
    [TestCase("HTTP/1.1 100 Continue\r\n\r\n", TestName = "U07_after_an_interim_answer_nothing_is_asked_again")]
    public async Task NotAgain(string begun)
    {
        Upstream.Next(Replies.LikeOpenAI);
        Upstream.Next(async exchange =>
        {
            await exchange.SendAsync(begun);
            await exchange.TakenAsync();
            exchange.Close();
        });
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Contract.AssertError(await PostAsync(Chat.Request()), 502, code: null);
        ExpectUpstreamRequests(2);
    }

    [TestCase(false, TestName = "U05_a_close_before_any_byte_on_a_new_connection_is_not_asked_again", Category = "U05")]
    [TestCase(true, TestName = "U06_a_reset_before_any_byte_on_a_new_connection_is_not_asked_again", Category = "U06")]
    public async Task NewConnection(bool reset)
    {
        Upstream.Otherwise(Lose(reset));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(stream: true)), 502, reset ? "upstream_reset" : null);
        RecordView record = await RecordAsync();
        Assert.That((record.Attempts, record.Blame), Is.EqualTo((1, "upstream")));
        ExpectUpstreamRequests(1);
    }

    [Test]
    public async Task U07_a_client_that_left_is_no_reason_to_ask_again()
    {
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Upstream.Otherwise(Replies.Silence);
        RawClient client = await SendJsonAsync(Chat.Request());
        await Upstream.WaitForAsync(2);
        client.Reset();
        await Deadline.Until(() => Proxy.Records.Count == 2);
        Assert.That((Proxy.Records[1].End, Proxy.Records[1].Attempts), Is.EqualTo(("client_disconnect", 1)));
        ExpectUpstreamRequests(2);
    }

    private static Script Lose(bool reset) => exchange =>
    {
        if (reset)
        {
            exchange.Reset();
        }
        else
        {
            exchange.Close();
        }

        return Task.CompletedTask;
    };
}
