using System.Globalization;
using System.Text;
using LlmProxy.Core;
using LlmProxy.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>How bodies come: in odd pieces, after they were asked for, slowly, or not at all.</summary>
public sealed class BodyArrivalTests : ProxyFixture
{
    private static readonly byte[] s_body = Encoding.UTF8.GetBytes("{\"messages\":[{\"role\":\"user\",\"content\":\"é🦓\\u00e9\"}],\"model\":\"gpt-4o-mini\"}");

    private static string Expected => Encoding.UTF8.GetString(s_body).Replace("gpt-4o-mini", Chat.UpstreamModel, StringComparison.Ordinal);

    [TestCase(1, "", TestName = "C21_chunks_of_1_byte_are_the_same_as_one_piece", Category = "C21")]
    [TestCase(3, "", TestName = "C21_chunks_of_3_bytes_are_the_same_as_one_piece", Category = "C21")]
    [TestCase(7, ";name=value;other=\"quoted\"", TestName = "C21_chunks_with_extensions_are_the_same_as_one_piece", Category = "C21")]
    public async Task Chunks(int size, string extension)
    {
        await StartAsync();
        RawClient client = await SendAsync(Head("Transfer-Encoding: chunked"));
        foreach (byte[] piece in s_body.Chunk(size))
        {
            string head = piece.Length.ToString("x", CultureInfo.InvariantCulture) + extension + "\r\n";
            await client.SendAsync((byte[])[.. Encoding.ASCII.GetBytes(head), .. piece, .. "\r\n"u8]);
        }

        await client.SendAsync("0\r\n\r\n");
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Text, Is.EqualTo(Expected));
    }

    [Test]
    [Category("C21")]
    public async Task C21_a_chunk_extension_of_64_KB_is_passed_over_or_refused_and_holds_nothing_up()
    {
        await StartAsync();
        string size = s_body.Length.ToString("x", CultureInfo.InvariantCulture);
        RawClient client = await SendAsync(Head("Transfer-Encoding: chunked"));
        await client.SendAsync(size + ";x=" + new string('y', 64 * 1024) + "\r\n");
        await client.SendAsync((byte[])[.. s_body, .. "\r\n0\r\n\r\n"u8]);
        RawResponse response = await client.ReadAsync();
        Assert.That(response.Status, Is.AnyOf(200, 400));
        ExpectUpstreamRequests(response.Status == 200 ? 1 : 0);
    }

    [Test]
    [Category("C22")]
    public async Task C22_a_body_is_asked_for_when_everything_before_it_was_right()
    {
        await StartAsync();
        RawClient client = await SendAsync(Head($"Content-Length: {s_body.Length}", "Expect: 100-continue"));
        Assert.That(await client.ReadInterimAsync(), Is.EqualTo(100));
        Assert.That(Upstream.Requests, Is.Empty);
        await client.SendAsync(s_body);
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Text, Is.EqualTo(Expected));
    }

    [TestCase("Authorization: Bearer wrong", "Content-Length: 10", 401, TestName = "C23_no_body_is_asked_for_with_a_wrong_key", Category = "C23")]
    [TestCase("X-None: 1", "Content-Length: 10", 401, TestName = "C23_no_body_is_asked_for_without_a_key", Category = "C23")]
    [TestCase("Authorization: Bearer " + Canary.ClientKey, "Content-Length: 10\r\nContent-Type: text/plain", 415, TestName = "C23_no_body_of_another_type_is_asked_for", Category = "C23")]
    [TestCase("Authorization: Bearer " + Canary.ClientKey, "Content-Length: 1000000000", 413, TestName = "C23_no_body_is_asked_for_that_is_too_large", Category = "C23")]
    public async Task NotAskedFor(string key, string fields, int status)
    {
        await StartAsync();
        RawClient client = await SendAsync(Encoding.ASCII.GetBytes($"POST {ChatPath} HTTP/1.1\r\nHost: x\r\n{key}\r\n{fields}\r\nExpect: 100-continue\r\n\r\n"));
        Contract.AssertError(await client.ReadAsync(), status, code: null);
        Assert.That(Encoding.ASCII.GetString(client.Received.Span), Does.StartWith($"HTTP/1.1 {status}"), "no 100 before it");
        client.Close();
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task An_expectation_that_nobody_knows_is_a_417()
    {
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(), ChatPath, "Expect: the-unexpected"), 417, "expectation_failed");
    }

    [Test]
    [Category("C26")]
    public async Task C26_a_body_that_stalls_or_trickles_is_a_408_that_says_so()
    {
        await StartAsync();
        RawClient stalled = await SendAsync(Head("Content-Length: 1000"));
        RawClient trickling = await SendAsync(Head("Transfer-Encoding: chunked"));
        Task<RawResponse> answer = trickling.ReadAsync();
        Task<RawResponse> other = stalled.ReadAsync();
        while (!answer.IsCompleted)
        {
            try
            {
                await trickling.SendAsync("1\r\n \r\n");
            }
            catch (IOException)
            {
                // Closed meanwhile.
            }

            // A byte a second: the server measures the rate by the real clock, which nothing here can move.
            await Task.WhenAny(answer, Task.Delay(1000));
        }

        foreach (RawResponse response in new[] { await answer, await other })
        {
            Contract.AssertError(response, 408, "request_timeout");
            Assert.That(response.Headers["Connection"], Is.EqualTo("close"));
        }

        await Deadline.Until(() => Proxy.Records.Count == 2);
        Assert.That(Proxy.Records.Select(r => (r.End, r.Blame, r.Attempts)), Is.All.EqualTo(("request_timeout", "client", 0)));
        ExpectUpstreamRequests(0);
    }

    [TestCase("Content-Length: 1000", "{", TestName = "C26_a_body_that_stalls_is_cut_by_our_own_clock", Category = "C26")]
    [TestCase("Content-Length: 1000\r\nContent-Encoding: gzip", "\u001f", TestName = "C26_a_compressed_body_that_stalls_is_cut_by_our_own_clock", Category = "C26")]
    [TestCase("Transfer-Encoding: chunked", "1\r\n{\r\n", TestName = "C26_chunks_that_stall_are_cut_by_our_own_clock", Category = "C26")]
    [TestCase("Content-Length: 1000\r\nExpect: 100-continue", "", TestName = "C26_a_body_that_was_asked_for_and_does_not_come_is_cut_by_our_own_clock", Category = "C26")]
    public async Task CutByOurs(string fields, string begun)
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Options.Limits.BodyTime = TimeSpan.FromSeconds(60);
        WithoutRates();
        await StartAsync();
        RawClient client = await SendAsync(Head(fields));
        await client.SendAsync(Encoding.Latin1.GetBytes(begun));
        Task<RawResponse> answer = client.ReadAsync();
        await Deadline.Until(() => App.ActiveAsync().Result == 1, what: "the request is being read");
        TimeSpan passed = await clock.AdvanceAsync(answer, TimeSpan.FromMinutes(5));
        RawResponse response = await answer;
        Contract.AssertError(response, 408, "request_timeout");
        Assert.That(passed, Is.GreaterThanOrEqualTo(TimeSpan.FromSeconds(60)));
        Assert.That(response.Headers["Connection"], Is.EqualTo("close"));
        await client.WaitForCloseAsync();
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Status, record.Attempts), Is.EqualTo(("request_timeout", "client", 408, 0)));
        ExpectUpstreamRequests(0);
    }

    [Test]
    [Category("C26")]
    public async Task C26_the_clock_of_the_body_ends_with_the_body()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Options.Limits.BodyTime = TimeSpan.FromSeconds(10);
        var gate = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await Replies.LikeOpenAI(exchange);
        });
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request());
        await Upstream.WaitForAsync();
        for (int i = 0; i < 20; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(5));
        }

        gate.SetResult();
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
    }

    /// <summary>As in an app that has switched the server's own bounds off.</summary>
    private void WithoutRates() => Setup.Pipeline = app =>
    {
        app.Use((http, next) =>
        {
            http.Features.GetRequiredFeature<IHttpMinRequestBodyDataRateFeature>().MinDataRate = null;
            return next(http);
        });
        app.UseLlmProxy();
    };

    private static byte[] Head(params string[] fields) => Encoding.ASCII.GetBytes(
        $"POST {ChatPath} HTTP/1.1\r\nHost: x\r\n{Authorization}\r\n{string.Join("\r\n", fields)}\r\n\r\n");
}
