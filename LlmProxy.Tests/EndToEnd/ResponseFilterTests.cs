using System.Text;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Relaying;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Code of the app that looks at answers on their way to the client.</summary>
public sealed class ResponseFilterTests : ProxyFixture
{
    private readonly List<string> _seen = [];

    [SetUp]
    public void Clear() => _seen.Clear();

    [Test]
    public async Task They_see_every_event_in_the_order_of_their_registration_and_what_the_one_before_made_of_it()
    {
        Use(
            e =>
            {
                _seen.Add($"1 {e.Name} {Text(e)}");
                e.Replace(Bytes(Text(e).Replace("Hello", "Hallo", StringComparison.Ordinal)));
            },
            e => _seen.Add("2 " + Text(e)));
        await StartAsync();
        string[] words = Chat.Words("Hello", " there");
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        string[] changed = Chat.Words("Hallo", " there");
        Contract.AssertWhole(response, Sse.Whole(changed));
        Assert.That(_seen, Is.EqualTo(words.Zip(changed).SelectMany(pair => new[] { "1  " + pair.First, "2 " + pair.Second })));
    }

    [Test]
    public async Task They_know_whose_answer_it_is_and_keep_what_they_need_for_its_length()
    {
        Use(e =>
        {
            int count = e.Response.Items.TryGetValue("count", out object? known) ? (int)known! : 0;
            e.Response.Items["count"] = count + 1;
            _seen.Add($"{e.Response.Operation} {e.Response.Caller} {e.Response.Model} {count}");
        });
        await StartAsync();
        for (int i = 0; i < 2; i++)
        {
            await PostAsync(Chat.Request(stream: true));
        }

        string[] once = [.. Enumerable.Range(0, 4).Select(i => "chat tester gpt-4o-mini " + i)];
        Assert.That(_seen, Is.EqualTo((string[])[.. once, .. once]), "each answer by itself");
    }

    [Test]
    public async Task An_event_that_nobody_changes_passes_byte_for_byte()
    {
        const string Odd = ": a comment\ndata:  {\"choices\":[{\"index\":0,\ndata:\"delta\":{\"content\":\"x\"}}]}\r\nunknown: 1\n\n";
        Use(e => _seen.Add(Text(e)));
        Upstream.Next(Replies.StreamOf(Odd + Sse.Whole(Chat.Words("y"))));
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), Odd + Sse.Whole(Chat.Words("y")));
        Assert.That(_seen[0], Is.EqualTo(" {\"choices\":[{\"index\":0,\n\"delta\":{\"content\":\"x\"}}]}"), "the lines of its data together");
    }

    [Test]
    public async Task Events_are_added_before_and_after_dropped_and_given_several_lines()
    {
        Use(e =>
        {
            if (Text(e).Contains("\"one\"", StringComparison.Ordinal))
            {
                e.AddBefore("{\"n\":1}"u8.ToArray());
                e.AddBefore("{\"n\":2}"u8.ToArray());
                e.AddAfter("{\"n\":\n3}"u8.ToArray());
            }
            else if (Text(e).Contains("\"two\"", StringComparison.Ordinal))
            {
                e.Drop();
                e.AddAfter("{\"n\":4}"u8.ToArray());
            }
        });
        string[] words = Chat.Words("one", "two", "three");
        Upstream.Next(Replies.Stream(words));
        await StartAsync();
        Contract.AssertWhole(
            await PostAsync(Chat.Request(stream: true)),
            Sse.Event(words[0]) + Sse.Event("{\"n\":1}") + Sse.Event("{\"n\":2}") + Sse.Event(words[1]) + "data: {\"n\":\ndata: 3}\n\n"
            + Sse.Event("{\"n\":4}") + Sse.Event(words[3]) + Sse.Event(words[4]) + Sse.Done);
    }

    [Test]
    public async Task Where_every_event_is_dropped_the_mark_of_the_end_is_kept()
    {
        Use(e => e.Drop());
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), Sse.Done);
        Assert.That((await RecordAsync()).End, Is.EqualTo("ok"));
    }

    [Test]
    public async Task A_stream_that_breaks_is_as_broken_behind_a_filter()
    {
        Use(e => e.Replace(Bytes(Text(e).Replace("Hel", "Hal", StringComparison.Ordinal))));
        Upstream.Next(Replies.StreamThen([Chat.Delta("Hel")], exchange => exchange.LastChunkAsync()));
        Upstream.Next(Replies.StreamOf(Sse.Event(Chat.Delta("Hel")) + Sse.Event(Chat.Error("It burns.")) + Sse.Done));
        await StartAsync();
        foreach (string code in new[] { "upstream_truncated", "upstream_error" })
        {
            RawResponse response = await PostAsync(Chat.Request(stream: true));
            Contract.AssertBroken(response, code == "upstream_error" ? null : code);
            Assert.That(response.Text, Does.StartWith(Sse.Event(Chat.Delta("Hal"))));
        }
    }

    [Test]
    public async Task Heartbeats_are_not_shown_and_go_out_between_what_is()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Use(e => e.Replace(Bytes(Text(e).Replace("Hel", "Hal", StringComparison.Ordinal))), e => _seen.Add(Text(e)));
        var gate = new TaskCompletionSource();
        Upstream.Next(Replies.StreamThen([Chat.Delta("Hel")], async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await exchange.EventsAsync(Chat.Finish(), "[DONE]");
            await exchange.LastChunkAsync();
        }));
        await StartAsync();
        RawResponse response = await (await SendJsonAsync(Chat.Request(stream: true))).ReadHeadAsync();
        await response.ReadUntilAsync("Hal");
        Task<RawResponse> beat = response.ReadUntilAsync(": keep-alive\n");
        await clock.AdvanceAsync(beat, TimeSpan.FromMinutes(5));
        await beat;
        gate.SetResult();
        Contract.AssertWhole(await response.ReadToEndAsync(), Sse.Whole(Chat.Delta("Hal"), Chat.Finish()));
        Assert.That(_seen, Is.EqualTo(new[] { Chat.Delta("Hal"), Chat.Finish() }));
    }

    [TestCase("assistant", "", TestName = "{m}_the_first_that_was_held")]
    [TestCase("\"one\"", "", TestName = "{m}_the_first_with_output")]
    [TestCase("\"two\"", "one", TestName = "{m}_one_in_the_middle")]
    [TestCase("\"stop\"", "two", TestName = "{m}_the_last")]
    public async Task One_that_throws_breaks_the_stream_at(string at, string last)
    {
        AllowErrorLogs("the filter throws");
        Use(e =>
        {
            if (Text(e).Contains(at, StringComparison.Ordinal))
            {
                throw new InvalidOperationException("secret words of the app");
            }
        });
        Upstream.Next(Replies.Stream(Chat.Words("one", "two")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        Contract.AssertBroken(response, "internal_error");
        Assert.That(response.Text, Does.Not.Contain("secret words").And.Not.Contain(at));
        Assert.That(response.Text, Does.Contain(last));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Status), Is.EqualTo(("internal_error", "proxy", 200)));
        Assert.That(Proxy.ErrorLines.Single(), Does.Contain("secret words"), "the log of the app says why");
    }

    [TestCase("response.failed", "{\"type\":\"response.completed\"}", TestName = "{m}_of_responses")]
    [TestCase("error", "{\"type\":\"message_stop\"}", TestName = "{m}_of_messages")]
    public async Task The_end_cannot_be_taken_away_without_breaking_the_stream(string failure, string end)
    {
        AllowErrorLogs("the filter takes the end away");
        bool isResponses = failure == "response.failed";
        string type = isResponses ? "response.completed" : "message_stop";
        int way = 0;
        Setup.Main.Kind = isResponses ? UpstreamKind.OpenAI : UpstreamKind.Anthropic;
        Use(e =>
        {
            if (e.Name == type)
            {
                Action<LlmResponseEvent>[] ways =
                    [e => e.Drop(), e => e.Replace("{\"type\":\"ping\"}"u8.ToArray()), e => e.Replace(default), _ => throw new OperationCanceledException(), e => e.Replace(Bytes(end))];
                ways[way](e);
            }
        });
        Upstream.Otherwise(Replies.StreamOf(isResponses ? ResponseEvents.Whole("Hi") : MessageEvents.Whole("Hi")));
        await StartAsync();
        for (; way < 5; way++)
        {
            RawResponse response = isResponses
                ? await PostAsync(ResponseEvents.Request(stream: true), ResponseEvents.Path)
                : await PostAsync(MessageEvents.Request(stream: true), MessageEvents.Path, MessageEvents.Version);
            bool isWhole = way == 4;
            Assert.That(response.End, Is.EqualTo(isWhole ? BodyEnd.Whole : BodyEnd.Unterminated), $"way {way}");
            Assert.That(response.Text, Does.Contain(isWhole ? $"event: {type}\ndata: {end}\n\n" : $"event: {failure}\n"));
            Assert.That(response.Text.Contains($"event: {type}\n", StringComparison.Ordinal), Is.EqualTo(isWhole));
        }

        await Deadline.Until(() => Proxy.Records.Count == 5);
        Assert.That(Proxy.Records.Select(r => r.End), Is.EqualTo((string[])[.. Enumerable.Repeat("internal_error", 4), "ok"]));
        ExpectUpstreamRequests(5);
    }

    [Test]
    public async Task A_JSON_answer_is_rewritten_in_order_and_its_length_is_the_new_one()
    {
        UseAnswers(
            a => a.Replace(Bytes(Text(a).Replace("Hello", "Good morning", StringComparison.Ordinal))),
            a =>
            {
                _seen.Add($"{a.Response.Operation} {a.Response.Model}");
                a.Replace(Bytes(Text(a).Replace("morning", "evening", StringComparison.Ordinal)));
            });
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Assert.That((response.Status, response.Text), Is.EqualTo((200, Chat.Completion("Good evening there"))));
        Assert.That(response.Headers["Content-Length"], Is.EqualTo($"{response.Body.Length}"));
        Assert.That(_seen, Is.EqualTo(new[] { "chat gpt-4o-mini" }));
        Assert.That((await RecordAsync()).OutputTokens, Is.EqualTo(12));
    }

    [Test]
    public async Task What_is_no_JSON_object_is_no_answer()
    {
        AllowErrorLogs("what the filter makes of the answer is none");
        string[] bodies = ["<html>", "", "[1]", "{\"a\":1", "{}{}"];
        int next = 0;
        UseAnswers(a => a.Replace(Bytes(bodies[next++])));
        await StartAsync();
        foreach (string body in bodies)
        {
            Contract.AssertError(await PostAsync(Chat.Request()), 500, "internal_error");
        }

        ExpectUpstreamRequests(bodies.Length);
    }

    [Test]
    public async Task One_that_throws_at_a_JSON_answer_is_a_500()
    {
        AllowErrorLogs("the filter throws");
        UseAnswers(_ => throw new OperationCanceledException("secret words of the app"));
        Upstream.Next(Replies.Json(200, Chat.Completion("Hi"), ("x-request-id", "up-1"), ("openai-version", "2020-10-01")));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Contract.AssertError(response, 500, "internal_error");
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Status), Is.EqualTo(("internal_error", "proxy", 500)));
    }

    [Test]
    public async Task An_answer_too_large_to_be_shown_is_refused_and_errors_are_not_shown()
    {
        Setup.Options.Limits.HeldAnswer = 64 * 1024;
        UseAnswers(a => _seen.Add(Text(a)));
        Upstream.Next(Replies.Json(200, Chat.Completion(new string('x', 100_000))));
        Upstream.Next(Replies.Json(400, Chat.Error("Bad.", "invalid_request_error", "bad")));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request()), 502, "upstream_answer_too_large");
        Contract.AssertError(await PostAsync(Chat.Request()), 400, "bad");
        Assert.That(_seen, Is.Empty);
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string Text(LlmResponseEvent shown) => Encoding.UTF8.GetString(shown.Data.Span);

    private static string Text(LlmResponseAnswer shown) => Encoding.UTF8.GetString(shown.Body.Span);

    private void Use(params Action<LlmResponseEvent>[] filters) => Add(filters.Select(f => new Filter(f, _ => { })));

    private void UseAnswers(params Action<LlmResponseAnswer>[] filters) => Add(filters.Select(f => new Filter(_ => { }, f)));

    private void Add(IEnumerable<IResponseFilter> filters) => Setup.Services = services =>
    {
        foreach (IResponseFilter filter in filters)
        {
            services.AddSingleton(filter);
        }
    };

    private sealed class Filter(Action<LlmResponseEvent> onEvent, Action<LlmResponseAnswer> onAnswer) : IResponseFilter
    {
        public ValueTask OnEventAsync(LlmResponseEvent responseEvent, CancellationToken cancellationToken)
        {
            onEvent(responseEvent);
            return ValueTask.CompletedTask;
        }

        public ValueTask OnAnswerAsync(LlmResponseAnswer answer, CancellationToken cancellationToken)
        {
            onAnswer(answer);
            return ValueTask.CompletedTask;
        }
    }
}
