using System.Text;
using System.Text.Json.Nodes;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Relaying;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>OpenAI's Responses, passed in their own form.</summary>
public sealed class ResponsesTests : ProxyFixture
{
    [SetUp]
    public void UseOpenAI() => Setup.Main.Kind = UpstreamKind.OpenAI;

    [Test]
    public async Task A_whole_stream_passes_byte_for_byte_and_ends_with_its_final_event()
    {
        string stream = ResponseEvents.Whole("Hel", "lo", " \"you\"");
        Upstream.Next(Replies.StreamOf(stream));
        await StartAsync();
        RawResponse response = await PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
        Contract.AssertWhole(response, stream);
        Assert.That(Upstream.Request.Target, Is.EqualTo("/v1/responses"));
        Assert.That((string?)Upstream.Request.Json["model"], Is.EqualTo(Chat.UpstreamModel));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Operation, record.InputTokens, record.OutputTokens), Is.EqualTo(("ok", "responses", (long?)36, (long?)87)));
    }

    [Test]
    public async Task How_the_upstream_ends_after_the_final_event_does_not_matter()
    {
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(ResponseEvents.Whole("Hi"));
            exchange.Close();
        });
        await StartAsync();
        Contract.AssertWhole(await PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path), ResponseEvents.Whole("Hi"));
    }

    [Test]
    public async Task A_stream_without_its_final_event_is_broken_and_says_so_with_the_next_number()
    {
        string begun = ResponseEvents.Begun + ResponseEvents.Delta("Hi", 2) + ResponseEvents.Delta(" there", 3);
        Upstream.Next(Replies.StreamOf(begun + "event: response.completed\ndata: {\"type\":\"response.comp"));
        await StartAsync();
        await AssertBrokenAsync(await PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path), begun, 4, "upstream_truncated");
    }

    [Test]
    public async Task A_reset_is_told_in_the_same_way()
    {
        string begun = ResponseEvents.Begun + ResponseEvents.Delta("Hi", 2);
        var seen = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.ChunkAsync(begun);
            await exchange.PauseAsync(seen.Task);
            exchange.Reset();
        });
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path)).ReadHeadAsync();
        await response.ReadUntilAsync(begun);
        seen.SetResult();
        await AssertBrokenAsync(await response.ReadToEndAsync(), begun, 3, "upstream_reset");
    }

    [Test]
    public async Task An_error_event_in_the_middle_breaks_the_stream_and_keeps_its_words()
    {
        string begun = ResponseEvents.Begun + ResponseEvents.Delta("Hi", 2);
        Upstream.Next(Replies.StreamOf(
            begun + "event: error\ndata: {\"type\":\"error\",\"sequence_number\":3,\"code\":\"engine_dead\",\"message\":\"The engine died.\",\"param\":null}\n\n" + ResponseEvents.Completed(4)));
        await StartAsync();
        JsonObject response = await AssertBrokenAsync(await PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path), begun, 3, "upstream_error");
        Assert.That((string?)response["error"]!["message"], Does.Contain("The engine died."));
    }

    [Test]
    public async Task A_failure_of_the_model_after_output_passes_as_the_whole_answer_it_is()
    {
        string stream = ResponseEvents.Begun + ResponseEvents.Delta("Hi", 2) + ResponseEvents.Failed(3, "server_error");
        Upstream.Next(Replies.StreamOf(stream));
        await StartAsync();
        Contract.AssertWhole(await PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path), stream);
    }

    [Test]
    public async Task A_failure_before_any_output_still_has_its_true_status()
    {
        Upstream.Next(Replies.StreamOf(ResponseEvents.Begun + ResponseEvents.Failed(2, "rate_limit_exceeded", "Slow down.")));
        Upstream.Next(Replies.StreamOf(ResponseEvents.Begun + ResponseEvents.Failed(2, "server_error")));
        string ours = ResponseEvents.Begun + ResponseEvents.Failed(2, "context_length_exceeded", "Too long.");
        Upstream.Next(Replies.StreamOf(ours));
        Upstream.Next(Replies.StreamOf(ResponseEvents.Begun));
        Upstream.Next(Replies.StreamOf(ResponseEvents.Begun + Sse.Done));
        await StartAsync();
        Contract.AssertError(await AskAsync(), 429, "rate_limit_exceeded");
        Contract.AssertError(await AskAsync(), 502, "upstream_error");
        Contract.AssertWhole(await AskAsync(), ours);
        Contract.AssertError(await AskAsync(), 502, "upstream_truncated");
        Contract.AssertError(await AskAsync(), 502, "upstream_invalid_response");

        Task<RawResponse> AskAsync() => PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
    }

    [Test]
    public async Task The_model_that_was_asked_for_is_put_back_where_configured_in_the_final_event_too()
    {
        Setup.Mini.ResponseModel = ResponseModelName.Asked;
        string stream = ResponseEvents.Whole("{\"model\":\"upstream-mini\"}");
        Upstream.Next(Replies.StreamOf(stream));
        Upstream.Next(Replies.Json(200, ResponseEvents.Response("completed", usage: ResponseEvents.Usage)));
        await StartAsync();
        RawResponse response = await PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
        Contract.AssertWhole(response, stream.Replace(",\"model\":\"upstream-mini\",\"output\"", ",\"model\":\"gpt-4o-mini\",\"output\"", StringComparison.Ordinal));
        Assert.That(Sse.Data(response.Text)[^1], Does.Contain("\"model\":\"gpt-4o-mini\""));
        RawResponse json = await PostAsync(ResponseEvents.Request(), ResponseEvents.Path);
        Assert.That((string?)json.Json["model"], Is.EqualTo("gpt-4o-mini"));
    }

    [Test]
    public async Task A_JSON_answer_passes_even_if_it_tells_of_its_own_failure()
    {
        string failed = ResponseEvents.Response("failed", error: "{\"code\":\"server_error\",\"message\":\"Boom.\"}");
        Upstream.Next(Replies.Json(200, failed));
        await StartAsync();
        RawResponse response = await PostAsync(ResponseEvents.Request(), ResponseEvents.Path);
        Assert.That((response.Status, response.Text), Is.EqualTo((200, failed)));
    }

    [Test]
    public async Task JSON_instead_of_a_stream_is_a_502()
    {
        Upstream.Next(Replies.Json(200, ResponseEvents.Response("completed")));
        await StartAsync();
        Contract.AssertError(await PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path), 502, "upstream_not_streaming");
    }

    [Test]
    public async Task A_model_whose_upstream_does_not_serve_them_is_told_with_one_that_does()
    {
        Setup.Options.Upstreams["local"] = ProxySetup.Upstream(Upstream.Url);
        Setup.Options.Models["local-model"] = ProxySetup.Model("local", "m");
        await StartAsync();
        RawResponse response = await PostAsync(ResponseEvents.Request(model: "local-model"), ResponseEvents.Path);
        string message = Contract.AssertError(response, 404, "unsupported_operation")["message"]!.ToString();
        Assert.That(message, Does.Contain("responses").And.Contain("gpt-4o-mini"));
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task Filters_see_the_final_event_too_for_it_repeats_the_whole_answer()
    {
        Setup.Services = services => services.AddSingleton<IResponseFilter>(new Censor());
        Upstream.Next(Replies.StreamOf(ResponseEvents.Whole("Hi")));
        Upstream.Next(Replies.StreamOf(Sse.Whole(Chat.Words("Hi"))));
        await StartAsync();
        RawResponse response = await PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path);
        Contract.AssertWhole(response, ResponseEvents.Whole("Hi").Replace("\"Hi\"", "\"**\"", StringComparison.Ordinal));
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), Sse.Whole(Chat.Words("**")));
    }

    private async Task<JsonObject> AssertBrokenAsync(RawResponse response, string begun, long number, string code)
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Status, Is.EqualTo(200));
            Assert.That(response.End, Is.EqualTo(BodyEnd.Unterminated));
            Assert.That(response.Text, Does.StartWith(begun + "event: response.failed\n").And.EndWith("\n\n").And.Not.Contain("[DONE]"));
        }

        JsonObject data = JsonNode.Parse(Sse.Data(response.Text)[^1])!.AsObject();
        JsonObject failed = data["response"]!.AsObject();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(((string?)data["type"], (long?)data["sequence_number"]), Is.EqualTo(("response.failed", number)));
            Assert.That(((string?)failed["id"], (string?)failed["status"]), Is.EqualTo((ResponseEvents.Id, "failed")));
            Assert.That(Sse.Data(response.Text), Has.Length.EqualTo(Sse.Data(begun).Length + 1));
        }

        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame), Is.EqualTo((code, "upstream")));
        return failed;
    }

    private sealed class Censor : IResponseFilter
    {
        public ValueTask OnEventAsync(LlmResponseEvent responseEvent, CancellationToken cancellationToken)
        {
            string text = Encoding.UTF8.GetString(responseEvent.Data.Span);
            Assert.That(text, Is.Not.EqualTo("[DONE]"));
            responseEvent.Replace(Encoding.UTF8.GetBytes(text.Replace("\"Hi\"", "\"**\"", StringComparison.Ordinal)));
            return ValueTask.CompletedTask;
        }

        public ValueTask OnAnswerAsync(LlmResponseAnswer answer, CancellationToken cancellationToken) => ValueTask.CompletedTask;
    }
}
