using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A healthy stream: event by event, byte by byte.</summary>
public sealed class StreamRelayTests : ProxyFixture
{
    private static readonly string[] s_words = ["One", " two", " three", " four", " five"];

    [Test]
    public async Task Each_event_reaches_the_client_before_the_upstream_has_sent_the_next()
    {
        var gates = s_words.Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).ToArray();
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.EventsAsync(Chat.Role());
            for (int i = 0; i < s_words.Length; i++)
            {
                await exchange.EventsAsync(Chat.Delta(s_words[i]));
                await exchange.PauseAsync(gates[i].Task);
            }

            await exchange.EventsAsync(Chat.Finish(), "[DONE]");
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(Chat.Request(stream: true))).ReadHeadAsync();
        for (int i = 0; i < s_words.Length; i++)
        {
            await response.ReadUntilAsync(Sse.Event(Chat.Delta(s_words[i])));
            Assert.That(Sse.Data(response.Text), Has.Length.EqualTo(i + 2), "nothing beyond what was sent");
            gates[i].SetResult();
        }

        await response.ReadToEndAsync();
        Contract.AssertWhole(response, Sse.Whole(Chat.Words(s_words)));
    }

    [Test]
    public async Task The_client_s_response_ends_with_done_though_the_upstream_never_closes()
    {
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.EventsAsync([.. Chat.Words("Hi"), "[DONE]"]);
            await exchange.StallAsync();
        });
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), Sse.Whole(Chat.Words("Hi")));
    }

    [TestCase("data:{0}\n\n", TestName = "{m}_without_a_space_after_the_colon")]
    [TestCase("data: {0}\r\n\r\n", TestName = "{m}_with_CRLF")]
    [TestCase("data: {0}\r\r", TestName = "{m}_with_CR")]
    [TestCase(": a comment\ndata: {0}\n\n", TestName = "{m}_with_comments")]
    [TestCase("event: message\ndata: {0}\n\n", TestName = "{m}_with_an_event_name")]
    [TestCase("x-unknown: 1\ndata: {0}\n\n", TestName = "{m}_with_an_unknown_field")]
    [TestCase("data: {0}\n\n: a lone comment\n\n", TestName = "{m}_with_comments_between")]
    public async Task Events_pass_byte_for_byte(string shape)
    {
        string stream = string.Concat(Chat.Words("Hé\u2028llo", " \\\" wörld 🦓").Append("[DONE]").Select(data => shape.Replace("{0}", data, StringComparison.Ordinal)));
        Upstream.Next(Replies.StreamOf(stream));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.End, Is.EqualTo(BodyEnd.Whole));
            Assert.That(stream, Does.StartWith(response.Text));
            Assert.That(response.Text.Replace("\r", "\n", StringComparison.Ordinal), Does.Match("\\[DONE\\]\n\n(\n\n)?(: a lone comment\n\n)?$"));
        }
    }

    [Test]
    public async Task A_byte_order_mark_ids_retries_and_empty_data_are_cut_out_and_nothing_else()
    {
        string[] words = Chat.Words("Hi");
        Upstream.Next(Replies.StreamOf(
            "\uFEFF" + Sse.Event(words[0]) + "id: 7\nretry: 100\ndata: " + words[1] + "\n\n" + "data:\n\n" + Sse.Event(words[2]) + Sse.Done));
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), Sse.Whole(words));
    }

    [Test]
    public async Task Unknown_members_and_large_numbers_in_chunks_are_not_touched()
    {
        string odd = Chat.Delta("x").Replace("\"created\":1760000000", "\"created\" : 1.50e3,\"big\":123456789012345678901234567890,\"é\":\"\\u00e9\"", StringComparison.Ordinal);
        Upstream.Next(Replies.Stream(odd, Chat.Finish()));
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), Sse.Whole(odd, Chat.Finish()));
    }

    [Test]
    public async Task The_model_s_name_is_put_back_where_configured_and_only_there()
    {
        Setup.Mini.ResponseModel = ResponseModelName.Asked;
        string[] words = Chat.Words("say \"model\":\"upstream-mini\" twice");
        Upstream.Next(Replies.Stream(words));
        Upstream.Next(Replies.Json(200, Chat.Completion("Hi")));
        await StartAsync();
        string asked = "\"model\":\"gpt-4o-mini\"";
        string own = $"\"model\":\"{Chat.UpstreamModel}\"";
        Contract.AssertWhole(
            await PostAsync(Chat.Request(stream: true)),
            Sse.Whole([.. words.Select(word => word.Replace(own, asked, StringComparison.Ordinal))]));
        RawResponse json = await PostAsync(Chat.Request());
        Assert.That(json.Text, Is.EqualTo(Chat.Completion("Hi").Replace(own, asked, StringComparison.Ordinal)));
    }

    [Test]
    public async Task Tool_calls_reasoning_and_refusals_pass_and_count_as_output()
    {
        string[] data =
        [
            Chat.Role(),
            Chat.Delta("x").Replace("\"content\":\"x\"", "\"reasoning_content\":\"thinking\"", StringComparison.Ordinal),
            Chat.Delta("x").Replace("\"content\":\"x\"", "\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]", StringComparison.Ordinal),
            Chat.Finish("tool_calls"),
        ];
        Upstream.Next(Replies.Stream(data));
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), Sse.Whole(data));
    }

    [Test]
    public async Task Legacy_completions_stream_the_same_way()
    {
        await StartAsync();
        RawResponse response = await PostAsync("""{"model":"gpt-4o-mini","prompt":"hello","stream":true}""", "/v1/completions");
        Contract.AssertWhole(response, Sse.Whole(Chat.LegacyDelta("Hello"), Chat.LegacyDelta(" there", "stop")));
        Assert.That(Upstream.Request.Target, Is.EqualTo("/v1/completions"));
        Assert.That((await RecordAsync()).Operation, Is.EqualTo("completions"));
    }

    [Test]
    public async Task A_connection_streams_again_and_again_and_so_does_the_one_to_the_upstream()
    {
        await StartAsync();
        RawClient client = await ConnectAsync();
        byte[] body = System.Text.Encoding.UTF8.GetBytes(Chat.Request(stream: true));
        for (int i = 0; i < 20; i++)
        {
            await client.SendAsync(RawClient.Request("POST", ChatPath, body, Authorization, "Content-Type: application/json"));
            Contract.AssertWhole(await client.ReadAsync(), Sse.Whole(Chat.Words("Hello", " there")));
        }

        Assert.That(Upstream.ConnectionCount, Is.EqualTo(1));
    }

    [Test]
    public async Task Many_streams_at_once_do_not_mix()
    {
        Upstream.Otherwise(async exchange =>
        {
            string word = (string)exchange.Request.Json["user"]!;
            await Replies.Stream(Chat.Words([.. Enumerable.Repeat(word, 50)]))(exchange);
        });
        await StartAsync();
        RawResponse[] responses = await Task.WhenAll(Enumerable.Range(0, 40)
            .Select(i => PostAsync(Chat.Request(stream: true, more: $",\"user\":\"user-{i}\""))));
        for (int i = 0; i < responses.Length; i++)
        {
            Contract.AssertWhole(responses[i], Sse.Whole(Chat.Words([.. Enumerable.Repeat($"user-{i}", 50)])));
        }
    }

    [Test]
    public async Task Answers_carry_our_id_and_overhead_and_the_upstream_s_id_but_no_inner_names()
    {
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync(("x-request-id", "req_upstream"), ("openai-processing-ms", "12"), ("X-Powered-By", "llama"), ("Server", "uvicorn"));
            await exchange.EventsAsync([.. Chat.Words("Hi"), "[DONE]"]);
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true), ChatPath, "x-request-id: client-1");
        RecordView record = await RecordAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Headers["x-request-id"], Is.EqualTo(record.Id));
            Assert.That(response.Headers["x-client-request-id"], Is.EqualTo("client-1"));
            Assert.That(record.ClientId, Is.EqualTo("client-1"));
            Assert.That(response.Headers["x-upstream-request-id"], Is.EqualTo("req_upstream"));
            Assert.That(response.Headers["openai-processing-ms"], Is.EqualTo("12"));
            Assert.That(response.Headers["x-llmproxy-overhead-ms"], Is.Not.Null);
            Assert.That(response.Headers.Names(), Has.None.AnyOf("x-powered-by", "x-llmproxy-upstream", "x-llmproxy-model", "x-llmproxy-attempts"));
            Assert.That(response.Headers["Server"], Is.Not.EqualTo("uvicorn"));
        }
    }

    [Test]
    public async Task A_debug_key_sees_which_upstream_model_and_how_many_attempts()
    {
        Setup.Options.Keys["tester"].Debug = true;
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Headers["x-llmproxy-upstream"], Is.EqualTo("main"));
            Assert.That(response.Headers["x-llmproxy-model"], Is.EqualTo(Chat.UpstreamModel));
            Assert.That(response.Headers["x-llmproxy-attempts"], Is.EqualTo("1"));
        }
    }
}
