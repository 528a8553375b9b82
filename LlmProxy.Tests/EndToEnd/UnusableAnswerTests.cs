using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Answers with a good status that are none: they never pass as success.</summary>
public sealed class UnusableAnswerTests : ProxyFixture
{
    public static IEnumerable<TestCaseData> NoCompletions()
    {
        foreach (bool stream in (bool[])[false, true])
        {
            string suffix = stream ? "_for_a_stream" : "_for_JSON";
            yield return Row("a_page_of_HTML", Replies.Html(200));
            yield return Row("204", Replies.Empty(204));
            yield return Row("an_empty_200", Replies.Empty(200, ("Content-Type", "application/json")));
            yield return Row("plain_text", exchange => exchange.AnswerAsync(200, "text/plain", "OK"u8.ToArray()));
            yield return Row("JSON_that_is_none", exchange => exchange.AnswerAsync(200, "application/json", "<html>"u8.ToArray()));
            yield return Row("half_a_JSON", exchange => exchange.AnswerAsync(200, "application/json", "{\"id\":\"x\",\"choices\":["u8.ToArray()));

            TestCaseData Row(string what, Script script) =>
                new TestCaseData(stream, script).SetName($"U28_{what}{suffix}_is_a_502").SetCategory("U28");
        }
    }

    [TestCaseSource(nameof(NoCompletions))]
    public async Task U28(bool stream, Script script)
    {
        ArgumentNullException.ThrowIfNull(script);
        Upstream.Otherwise(script);
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream));
        string code = Contract.AssertError(response, 502, code: null)["code"]!.ToString();
        bool mayBeNoStream = stream && TestContext.CurrentContext.Test.Name.Contains("JSON", StringComparison.Ordinal);
        Assert.That(code, Is.EqualTo("upstream_invalid_response").Or.EqualTo(mayBeNoStream ? "upstream_not_streaming" : "upstream_invalid_response"));
        Assert.That(response.Text, Does.Not.Contain("<html>").And.Not.Contain("hotel"));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame), Is.EqualTo((code, "upstream")));
    }

    [Test]
    public async Task An_event_stream_that_was_not_asked_for_is_a_502()
    {
        Upstream.Otherwise(Replies.Stream(Chat.Words("Hi")));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request()), 502, code: null);
    }

    [Test]
    public async Task An_event_stream_with_nothing_in_it_is_a_502()
    {
        Upstream.Otherwise(Replies.StreamOf(": nothing\n\n"));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(stream: true)), 502, code: null);
    }

    [TestCase(301)]
    [TestCase(302)]
    [TestCase(303)]
    [TestCase(307)]
    [TestCase(308)]
    public async Task U35_a_redirect_is_neither_followed_nor_relayed(int status)
    {
        ScriptedUpstream elsewhere = NewUpstream("127.0.0.2");
        Upstream.Otherwise(Replies.Empty(status, ("Location", elsewhere.Url + "/chat/completions")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Contract.AssertError(response, 502, "upstream_redirect");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Headers["Location"], Is.Null);
            Assert.That(elsewhere.ConnectionCount, Is.Zero);
        }

        ExpectUpstreamRequests(1);
    }

    [Test]
    public async Task U36_a_cookie_is_neither_stored_nor_relayed()
    {
        Upstream.Otherwise(Replies.Json(200, Chat.Completion("Hi"), ("Set-Cookie", "session=tenant-a; Path=/"), ("Set-Cookie2", "x=1")));
        await StartAsync();
        RawResponse first = await PostAsync(Chat.Request());
        RawResponse second = await PostAsync(Chat.Request());
        using (Assert.EnterMultipleScope())
        {
            Assert.That((first.Status, second.Status), Is.EqualTo((200, 200)));
            Assert.That(first.Headers.Names().Concat(second.Headers.Names()), Has.None.StartsWith("set-cookie"));
            Assert.That(Upstream.Requests.SelectMany(request => request.Headers.Names()), Has.None.EqualTo("cookie"));
        }
    }

    [Test]
    public async Task A_JSON_answer_that_breaks_off_is_a_502()
    {
        Upstream.Otherwise(async exchange =>
        {
            await exchange.HeadAsync(200, ("Content-Type", "application/json"), ("Content-Length", "500"));
            await exchange.SendAsync(Chat.Completion("Hi")[..100]);
            exchange.Close();
        });
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request()), 502, code: null);
    }
}
