using System.Net;
using System.Net.Sockets;
using LlmProxy.Core;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>One target after another, before the first event; never after it.</summary>
public sealed class FailoverTests : FailoverFixture
{
    private static readonly string s_whole = Sse.Whole(Chat.Words("Hello", " there"));

    /// <summary>What main does, whether it is asked for a stream, and what the record calls it.</summary>
    public static IEnumerable<TestCaseData> Failures()
    {
        foreach (bool stream in (bool[])[false, true])
        {
            foreach (int status in (int[])[408, 500, 502, 503, 504, 529])
            {
                yield return Row($"a_{status}", Replies.Json(status, Chat.Error("Not now.")), stream, "upstream_error");
            }

            yield return Row("a_429", Replies.Json(429, Chat.Error("Slow down.")), stream, "rate_limit_exceeded");
            yield return Row("a_429_for_want_of_money", Replies.Json(429, Chat.Error("Pay.", "insufficient_quota", "insufficient_quota")), stream, "rate_limit_exceeded");
            yield return Row("a_402", Replies.Json(402, Chat.Error("Insufficient Balance")), stream, "rate_limit_exceeded");
            yield return Row("a_400_for_want_of_money", Replies.Json(400, Chat.Error("Your credit balance is too low to access the API.")), stream, "rate_limit_exceeded");
            yield return Row("a_401", Replies.Json(401, Chat.Error("Bad key.")), stream, "upstream_auth_error");
            yield return Row("a_403", Replies.Json(403, Chat.Error("Not yours.")), stream, "upstream_auth_error");
            yield return Row("a_404", Replies.Json(404, Chat.Error("No such model.")), stream, "upstream_model_error");
            yield return Row("a_405", Replies.Json(405, Chat.Error("Method Not Allowed")), stream, "upstream_error");
            yield return Row("a_503_of_nginx", Replies.Html(503), stream, "upstream_error");
            yield return Row("HTML", Replies.Html(200), stream, "upstream_invalid_response");
            yield return Row("a_204", Replies.Empty(204), stream, "upstream_invalid_response");
            yield return Row("a_redirect", Replies.Empty(307, ("Location", "http://127.0.0.1:9/")), stream, "upstream_redirect");
            yield return Row("an_error_in_a_200", Replies.Json(200, Chat.Error("Broken inside.")), stream, "upstream_error");
            yield return Row("a_reset", Ended(e => e.Reset()), stream, "upstream_reset");
            yield return Row("a_close_before_any_byte", Ended(e => e.Close()), stream, null);
        }

        yield return Row("a_stream_for_an_answer", Replies.Stream(Chat.Words("x")), false, "upstream_unexpected_stream");
        yield return Row("a_cut_answer", Cut, false, "upstream_truncated");
        yield return Row("JSON_for_a_stream", Replies.Json(200, Chat.Completion("Hello there")), true, "upstream_not_streaming");
        yield return Row("an_empty_stream", Replies.StreamOf(": nothing\n\n"), true, null);
        yield return Row("a_DONE_alone", Replies.Stream(), true, "upstream_invalid_response");
        yield return Row("a_role_and_a_reset", Replies.StreamThen([Chat.Role()], Ended(e => e.Reset()).Invoke), true, "upstream_reset");
        yield return Row("a_role_and_an_end", Replies.StreamThen([Chat.Role()], Ended(e => e.Close()).Invoke), true, "upstream_truncated");
        yield return Row("a_role_and_an_error_event", Replies.StreamThen([Chat.Role(), Chat.Error("Dead.")], e => e.LastChunkAsync()), true, "upstream_error");
    }

    [TestCaseSource(nameof(Failures))]
    public async Task Before_the_first_event_the_next_target_is_asked_after(Script script, bool stream, string? code)
    {
        Upstream.Otherwise(script);
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream));
        AssertAnswered(response, stream);
        AssertSeen(1, 1);
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Status, record.Upstream, record.UpstreamModel, record.Attempts), Is.EqualTo(("ok", 200, "spare", SpareModel, 2)));
        Assert.That(record.Tried, code is null ? Does.Match("^main upstream_[a-z_]+, spare ok$") : Is.EqualTo($"main {code}, spare ok"));
        Assert.That((response.Headers["x-llmproxy-upstream"], response.Headers["x-llmproxy-attempts"]), Is.EqualTo(("spare", "2")));
    }

    /// <summary>The same ends, one event later.</summary>
    public static IEnumerable<TestCaseData> Breaks()
    {
        yield return Row("a_reset", Replies.StreamThen([Chat.Role(), Chat.Delta("Hel")], async e =>
        {
            await e.TakenAsync();
            e.Reset();
        }), "upstream_reset");
        yield return Row("an_end", Replies.StreamThen([Chat.Role(), Chat.Delta("Hel")], Ended(e => e.Close()).Invoke), "upstream_truncated");
        yield return Row("an_error_event", Replies.StreamThen([Chat.Role(), Chat.Delta("Hel"), Chat.Error("Dead.")], e => e.LastChunkAsync()), null);

        static TestCaseData Row(string name, Script script, string? code) => new TestCaseData(script, code).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Breaks))]
    public async Task After_the_first_event_nobody_else_is_asked_after(Script script, string? code)
    {
        Upstream.Otherwise(script);
        await StartAsync();
        Contract.AssertBroken(await PostAsync(Chat.Request(stream: true)), code);
        AssertSeen(1, 0);
        Assert.That((await RecordAsync()).Attempts, Is.EqualTo(1));
    }

    [TestCase(400)]
    [TestCase(409)]
    [TestCase(413)]
    [TestCase(422)]
    public async Task The_callers_own_mistake_goes_to_nobody_else(int status)
    {
        Upstream.Otherwise(Replies.Json(status, Chat.Error("You did it.", "invalid_request_error", "yours")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        Assert.That((response.Status, (string?)response.Json["error"]!["code"]), Is.EqualTo((status, "yours")), "as it came");
        AssertSeen(1, 0);
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_refused_connection_is_no_request_at_all(bool stream)
    {
        await Upstream.DisposeAsync();
        await StartAsync();
        AssertAnswered(await PostAsync(Chat.Request(stream)), stream);
        AssertSeen(0, 1);
        Assert.That((await RecordAsync()).Tried, Is.EqualTo("main upstream_connect_error, spare ok"));
    }

    [Test]
    public async Task A_name_that_does_not_resolve()
    {
        Setup.Main.Url = new Uri("http://no-such-host.invalid/v1");
        await StartAsync();
        AssertAnswered(await PostAsync(Chat.Request()), stream: false);
        AssertSeen(0, 1);
    }

    [Test]
    public async Task A_connection_that_nobody_accepts()
    {
        using var hole = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        hole.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        hole.Listen(1);
        Socket[] before = await ConnectTests.FillAsync((IPEndPoint)hole.LocalEndPoint!);
        Setup.Main.Url = new Uri($"http://{hole.LocalEndPoint}/v1");
        Setup.Main.Timeouts.Connect = TimeSpan.FromMilliseconds(400);
        await StartAsync();
        AssertAnswered(await PostAsync(Chat.Request(stream: true)), stream: true);
        Assert.That((await RecordAsync()).Tried, Is.EqualTo("main upstream_connect_timeout, spare ok"));
        AssertSeen(0, 1);
        Array.ForEach(before, socket => socket.Dispose());
    }

    [Test]
    public async Task A_certificate_that_nobody_signed()
    {
        TlsServer server = Own(new TlsServer(TlsServer.With(TlsServer.SelfSigned("localhost"))));
        Setup.Main.Url = server.Url;
        await StartAsync();
        AssertAnswered(await PostAsync(Chat.Request()), stream: false);
        Assert.That((await RecordAsync()).Tried, Is.EqualTo("main upstream_tls_error, spare ok"));
        AssertSeen(0, 1);
    }

    [TestCase(false, TestName = "No_headers_before_the_first_event_is_due")]
    [TestCase(true, TestName = "A_role_and_no_output_before_the_first_event_is_due")]
    public async Task FirstEventTimeout(bool begins)
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.FirstEvent = TimeSpan.FromSeconds(8);
        Upstream.Otherwise(begins ? Replies.StreamThen([Chat.Role()], e => e.StallAsync()) : Replies.Silence);
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await Upstream.WaitForAsync();
        Task<RawResponse> answer = client.ReadAsync();
        await AdvanceUntilAsync(clock, answer, TimeSpan.FromSeconds(1));
        AssertAnswered(await answer, stream: true);
        Assert.That((await RecordAsync()).Tried, Is.EqualTo("main upstream_timeout, spare ok"));
        await Deadline.Until(() => Upstream.OpenConnections == 0, what: "the slow one is given up");
        AssertSeen(1, 1);
    }

    [Test]
    public async Task The_last_target_alone_may_answer_in_JSON_for_a_stream()
    {
        Upstream.Otherwise(Replies.Json(200, Chat.Completion("Hello there")));
        Spare.Otherwise(Replies.Json(200, Chat.Completion("Hello there")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        Assert.That((response.Status, response.End), Is.EqualTo((200, BodyEnd.Whole)));
        Assert.That(response.Text, Does.Contain("Hello there").And.EndWith(Sse.Done));
        Assert.That((await RecordAsync()).Tried, Is.EqualTo("main upstream_not_streaming, spare ok"));
        AssertSeen(1, 1);
    }

    [TestCase(500, 503, 503)]
    [TestCase(503, 401, 503, Description = "A refusal of our key is no reason not to come back to the one that may be well by then.")]
    [TestCase(401, 503, 503)]
    [TestCase(401, 401, 502)]
    public async Task If_all_fail_the_client_is_told_what_lets_it_hope_for_more(int main, int spare, int told)
    {
        Upstream.Otherwise(Replies.Json(main, Chat.Error("A")));
        Spare.Otherwise(Replies.Json(spare, Chat.Error("B")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Contract.AssertError(response, told, code: null);
        Assert.That(response.Headers["x-should-retry"], Is.EqualTo(main == spare ? "false" : null));
        AssertSeen(1, 1);
    }

    [Test]
    public async Task U46_a_fresh_attempt_has_nothing_of_the_one_before()
    {
        Setup.Main.Headers["X-Main-Only"] = "main";
        Upstream.Otherwise(Replies.Json(500, Chat.Error("A")));
        await StartAsync();
        await PostAsync(Chat.Request(more: ",\"unknown\":[1.10,{\"b\":null}]"));
        UpstreamRequest main = Upstream.Request;
        UpstreamRequest spare = Spare.Request;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(main.Headers["Authorization"], Is.EqualTo("Bearer " + Canary.UpstreamKey));
            Assert.That(spare.Headers["Authorization"], Is.EqualTo("Bearer " + SpareKey));
            Assert.That(spare.Headers["X-Main-Only"], Is.Null);
            Assert.That(main.Headers["X-Main-Only"], Is.EqualTo("main"));
            Assert.That(spare.Text, Is.EqualTo(main.Text.Replace(Chat.UpstreamModel, SpareModel, StringComparison.Ordinal)));
            Assert.That(spare.Headers.Names(), Is.EqualTo(main.Headers.Names().Where(n => n != "x-main-only")));
        }

        AssertSeen(1, 1);
    }

    [Test]
    public async Task A_client_that_left_asks_nobody_and_says_nothing_about_anybody()
    {
        InProcessOnly("it looks at the states");
        Upstream.Otherwise(Replies.Silence);
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await Upstream.WaitForAsync();
        client.Reset();
        Assert.That((await RecordAsync()).End, Is.EqualTo("client_disconnect"));
        AssertSeen(1, 0);
        Assert.That((MainStatus.Condition, MainStatus.InFlight), Is.EqualTo((UpstreamCondition.Ok, 0)));
    }

    [Test]
    public async Task All_attempts_together_have_one_deadline()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
        Setup.Main.Timeouts.Total = TimeSpan.FromSeconds(20);
        Setup.Main.Timeouts.FirstEvent = TimeSpan.FromSeconds(15);
        Upstream.Otherwise(Replies.Silence);
        Spare.Otherwise(Replies.Silence);
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await Upstream.WaitForAsync();
        Task<RawResponse> answer = client.ReadAsync();
        await AdvanceUntilAsync(clock, answer, TimeSpan.FromSeconds(1));
        Contract.AssertError(await answer, 504, "deadline_exceeded");
        AssertSeen(1, 1);
    }

    [Test]
    public async Task Who_is_shut_down_asks_nobody_else()
    {
        InProcessOnly("it ends the app from inside");
        Upstream.Otherwise(Replies.Silence);
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request(stream: true));
        await Upstream.WaitForAsync();
        App.Services.GetRequiredService<LlmProxyLifetime>().EndAll();
        Contract.AssertError(await client.ReadAsync(), 503, "server_shutting_down");
        AssertSeen(1, 0);
    }

    private static void AssertAnswered(RawResponse response, bool stream)
    {
        if (stream)
        {
            Contract.AssertWhole(response, s_whole);
        }
        else
        {
            Assert.That((response.Status, response.Text), Is.EqualTo((200, Chat.Completion("Hello there"))));
        }
    }

    private static TestCaseData Row(string name, Script script, bool stream, string? code) =>
        new TestCaseData(script, stream, code).SetArgDisplayNames(name + (stream ? "_to_a_stream" : ""));

    private static Script Ended(Action<UpstreamExchange> end) => exchange =>
    {
        end(exchange);
        return Task.CompletedTask;
    };

    private static async Task Cut(UpstreamExchange exchange)
    {
        await exchange.HeadAsync(200, ("Content-Type", "application/json"), ("Content-Length", "1000"));
        await exchange.SendAsync("{\"id\":\"chatcmpl-7\",");
        exchange.Close();
    }
}
