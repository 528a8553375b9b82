using System.Text.Json.Nodes;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A stream ends whole or broken, and everybody can tell which.</summary>
public sealed class BrokenStreamTests : ProxyFixture
{
    private static readonly string[] s_begun = [Chat.Role(), Chat.Delta("Hel")];

    private static string Begun => string.Concat(s_begun.Select(Sse.Event));

    [Test]
    public async Task U14_a_reset_mid_stream_is_an_error_event_and_an_unterminated_end()
    {
        RawResponse response = await BreakAsync(exchange =>
        {
            exchange.Reset();
            return Task.CompletedTask;
        });
        await AssertBrokenAsync(response, "upstream_reset");
    }

    [Test]
    public async Task U15_a_close_inside_a_chunk_drops_the_partial_event()
    {
        RawResponse response = await BreakAsync(async exchange =>
        {
            await exchange.SendAsync("80\r\ndata: {\"id\":\"chatcmpl-7\",\"cho");
            exchange.Close();
        });
        await AssertBrokenAsync(response, "upstream_truncated");
    }

    [Test]
    public async Task U15_a_close_between_chunks_without_the_last_one_is_broken()
    {
        RawResponse response = await BreakAsync(exchange =>
        {
            exchange.Close();
            return Task.CompletedTask;
        });
        await AssertBrokenAsync(response, "upstream_truncated");
    }

    [Test]
    public async Task U16_a_clean_end_without_a_finish_reason_is_broken()
    {
        RawResponse response = await BreakAsync(exchange => exchange.LastChunkAsync());
        await AssertBrokenAsync(response, "upstream_truncated");
    }

    [Test]
    public async Task U16_a_clean_end_inside_an_event_drops_it()
    {
        RawResponse response = await BreakAsync(async exchange =>
        {
            await exchange.ChunkAsync(Sse.Event(Chat.Delta("lo"))[..^1]);
            await exchange.LastChunkAsync();
        });
        await AssertBrokenAsync(response, "upstream_truncated");
    }

    [Test]
    public async Task U16_one_choice_finished_of_two_is_broken()
    {
        Upstream.Next(Replies.StreamThen(
            [Chat.Delta("a"), Chat.Delta("b", choice: 1), Chat.Finish()],
            exchange => exchange.LastChunkAsync()));
        await StartAsync();
        Contract.AssertBroken(await PostAsync(Chat.Request(stream: true, more: ",\"n\":2")), "upstream_truncated");
    }

    [Test]
    public async Task A_choice_that_was_asked_for_and_never_began_is_missed()
    {
        Upstream.Next(Replies.StreamThen([Chat.Delta("a"), Chat.Finish()], exchange => exchange.LastChunkAsync()));
        await StartAsync();
        Contract.AssertBroken(await PostAsync(Chat.Request(stream: true, more: ",\"n\":2")), "upstream_truncated");
    }

    [TestCase(true, TestName = "U43_an_error_event_breaks_the_stream_and_the_done_after_it_is_withheld")]
    [TestCase(false, TestName = "U43_an_error_event_breaks_the_stream")]
    public async Task ErrorEvent(bool doneFollows)
    {
        string error = Chat.Error("The engine crashed.", "server_error", "engine_dead");
        RawResponse response = await BreakAsync(async exchange =>
        {
            await exchange.EventsAsync(doneFollows ? [error, "[DONE]"] : [error]);
            await exchange.LastChunkAsync();
        });
        JsonObject seen = Contract.AssertBroken(response, code: null);
        Assert.That(seen["message"]?.ToString(), Does.Contain("The engine crashed."));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame), Is.EqualTo(("upstream_error", "upstream")));
    }

    [Test]
    public async Task An_error_event_beats_the_finish_reasons_before_it()
    {
        Upstream.Next(Replies.Stream(Chat.Delta("a"), Chat.Finish(), Chat.Error("Too late.")));
        await StartAsync();
        Contract.AssertBroken(await PostAsync(Chat.Request(stream: true)), code: null);
    }

    [TestCase("abort")]
    [TestCase("error")]
    public async Task A_finish_reason_that_says_failure_is_one(string reason)
    {
        Upstream.Next(Replies.Stream(Chat.Delta("a"), Chat.Finish(reason)));
        await StartAsync();
        Contract.AssertBroken(await PostAsync(Chat.Request(stream: true)), code: null);
    }

    [TestCase(true, TestName = "U16_a_missing_done_after_every_finish_reason_is_appended")]
    [TestCase(false, TestName = "U16_a_missing_done_is_appended_even_if_the_connection_was_cut")]
    public async Task MissingDone(bool cleanEnd)
    {
        Upstream.Next(Replies.StreamThen(Chat.Words("Hi"), async exchange =>
        {
            if (cleanEnd)
            {
                await exchange.LastChunkAsync();
            }
            else
            {
                exchange.Close();
            }
        }));
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), Sse.Whole(Chat.Words("Hi")));
        Assert.That((await RecordAsync()).End, Is.EqualTo("ok"));
    }

    [Test]
    public async Task Done_without_a_finish_reason_is_whole_by_default()
    {
        Upstream.Next(Replies.Stream(s_begun));
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), Sse.Whole(s_begun));
    }

    [Test]
    public async Task Done_without_a_finish_reason_is_broken_where_one_is_required()
    {
        Setup.Main.RequireFinishReason = true;
        Upstream.Next(Replies.Stream(s_begun));
        await StartAsync();
        Contract.AssertBroken(await PostAsync(Chat.Request(stream: true)), code: null);
    }

    [Test]
    public async Task Chunks_after_the_finish_reason_pass_and_usage_in_them_is_read()
    {
        Upstream.Next(Replies.Stream([.. Chat.Words("Hi"), Chat.Usage(3, 4)]));
        await StartAsync();
        Contract.AssertWhole(
            await PostAsync(Chat.Request(stream: true, more: ",\"stream_options\":{\"include_usage\":true}")),
            Sse.Whole([.. Chat.Words("Hi"), Chat.Usage(3, 4)]));
        RecordView record = await RecordAsync();
        Assert.That((record.InputTokens, record.OutputTokens, record.UsageSource), Is.EqualTo(((long?)3, (long?)4, "upstream")));
    }

    [Test]
    public async Task Legacy_completions_break_and_finish_by_the_same_rules()
    {
        const string Body = """{"model":"gpt-4o-mini","prompt":"hello","stream":true}""";
        Upstream.Next(Replies.StreamThen([Chat.LegacyDelta("Hel")], exchange => exchange.LastChunkAsync()));
        Upstream.Next(Replies.StreamThen([Chat.LegacyDelta("Hel", "stop")], exchange => exchange.LastChunkAsync()));
        await StartAsync();
        Contract.AssertBroken(await PostAsync(Body, "/v1/completions"), "upstream_truncated");
        Contract.AssertWhole(await PostAsync(Body, "/v1/completions"), Sse.Whole(Chat.LegacyDelta("Hel", "stop")));
    }

    [Test]
    public async Task A_break_before_the_first_output_still_has_its_true_status()
    {
        Upstream.Next(Replies.StreamThen([Chat.Role()], exchange =>
        {
            exchange.Close();
            return Task.CompletedTask;
        }));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(stream: true)), 502, code: null);
    }

    [Test]
    public async Task A_broken_stream_in_five_hundred_always_delivers_its_error_event()
    {
        Upstream.Otherwise(Replies.StreamThen(s_begun, exchange => exchange.LastChunkAsync()));
        await StartAsync();
        for (int i = 0; i < 500; i++)
        {
            await using RawClient client = await SendJsonAsync(Chat.Request(stream: true));
            Contract.AssertBroken(await client.ReadAsync(), "upstream_truncated");
        }
    }

    /// <summary>Plays a stream that begins well, and the break once the client has what went before.</summary>
    private async Task<RawResponse> BreakAsync(Func<UpstreamExchange, Task> end)
    {
        var seen = new TaskCompletionSource();
        Upstream.Next(Replies.StreamThen(s_begun, async exchange =>
        {
            await exchange.PauseAsync(seen.Task);
            await end(exchange);
        }));
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(Chat.Request(stream: true))).ReadHeadAsync();
        await response.ReadUntilAsync(Begun);
        seen.SetResult();
        return await response.ReadToEndAsync();
    }

    private async Task AssertBrokenAsync(RawResponse response, string code)
    {
        Contract.AssertBroken(response, code);
        Assert.That(response.Text, Does.StartWith(Begun));
        Assert.That(Sse.Data(response.Text), Has.Length.EqualTo(s_begun.Length + 1));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Status, record.Streamed), Is.EqualTo((code, "upstream", 200, true)));
    }
}
