using LlmProxy.Core.Protocol;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>Streams as real servers send them: what each event means, and whether the answer is whole.</summary>
internal sealed class CompletionInspectorTests
{
    private static readonly Usage _usage = new(9, -1, 12);

    [Test]
    public void OpenAI_with_obfuscation_and_usage()
    {
        var seen = Inspected.Run(Stream(
            """{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null,"obfuscation":"Rnz3"}""",
            """{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}],"usage":null,"obfuscation":"6"}""",
            """{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}],"usage":null,"obfuscation":"pQ1"}""",
            """{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null,"obfuscation":""}""",
            """{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":4}}}""",
            "[DONE]"));
        AssertWhole(seen, "pooood");
        Assert.That(seen.Inspector.Usage, Is.EqualTo(new Usage(9, 4, 12)));
    }

    [Test]
    public void Azure_whose_first_chunk_has_no_choices_and_whose_filter_results_follow_the_finish()
    {
        var seen = Inspected.Run(Stream(
            """{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false}}}]}""",
            Chat.Role(), Chat.Delta("Hi"), Chat.Finish(),
            """{"choices":[{"content_filter_offsets":{"check_offset":1},"content_filter_results":{},"finish_reason":null,"index":0}],"id":"","model":""}""",
            "[DONE]"));
        AssertWhole(seen, "ppoopd");
    }

    [Test]
    public void VLlm_fails_and_then_says_done()
    {
        var seen = Inspected.Run(Stream(
            Chat.Role(), Chat.Delta("Hi"), """{"error":{"object":"error","message":"CUDA out of memory at secret-of-upstream","type":"InternalServerError","code":500}}""", "[DONE]"));
        Assert.That(seen.Letters, Is.EqualTo("pofd"));
        AssertBroken(seen);
        Assert.That(seen.Inspector.Failure, Has.Property("Code").EqualTo("upstream_error").And.Property("Status").EqualTo(502));
        Assert.That(seen.Inspector.Failure!.Message, Is.EqualTo("CUDA out of memory at [redacted]"));
    }

    [TestCase("""{"error":"text"}""", TestName = "{m}(text)")]
    [TestCase("""{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"error":{"message":"x"}}""", TestName = "{m}(beside a finish reason)")]
    [TestCase("""{"choices":[{"index":0,"delta":{},"finish_reason":"abort"}]}""", TestName = "{m}(finish reason abort)")]
    [TestCase("""{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}""", TestName = "{m}(finish reason error)")]
    [TestCase("""{"choices":[{"index":0,"delta":{},"finish_reason":"ab\u006frt"}]}""", TestName = "{m}(finish reason abort, escaped)")]
    public void A_failure_beats_everything_before_and_after_it(string failure)
    {
        var seen = Inspected.Run(Stream(Chat.Delta("Hi"), Chat.Finish(), failure, Chat.Finish(), "[DONE]"));
        Assert.That(seen.Letters, Is.EqualTo("oofod"));
        AssertBroken(seen);
    }

    [TestCase("event: error\ndata: {\"message\":\"x\"}\n\n")]
    [TestCase("event: error\ndata: not JSON\n\n")]
    [TestCase("event: error\ndata: {\"choices\":\ndata: []}\n\n")]
    public void An_event_named_error_is_a_failure_whatever_it_holds(string failure)
    {
        var seen = Inspected.Run(Stream(Chat.Delta("Hi")) + failure);
        Assert.That(seen.Letters, Is.EqualTo("of"));
        AssertBroken(seen);
    }

    [Test]
    public void VLlm_stops_for_repetition_which_clients_cannot_read()
    {
        var stream = Stream(Chat.Delta("Hi Hi Hi"), Chat.Finish("repetition"), "[DONE]");
        var mapped = Inspected.Run(stream, Inspected.Expectation(maps: true));
        AssertWhole(mapped, "ood");
        Assert.That(mapped.Passed, Is.EqualTo(Stream(Chat.Delta("Hi Hi Hi"), Chat.Finish("stop"))));
        var other = Inspected.Run(stream);
        AssertWhole(other, "ood");
        Assert.That(other.Passed, Does.Contain("repetition"));
        Assert.That(other.Inspector.UnknownFinishReasons, Is.EqualTo(1));
    }

    [Test]
    public void Two_choices_are_whole_when_both_have_finished()
    {
        string[] parts = [Chat.Role(0), Chat.Role(1), Chat.Delta("a", 0), Chat.Delta("b", 1), Chat.Finish("stop", 1), Chat.Finish("length", 0)];
        var expectation = Inspected.Expectation(choices: 2);
        for (var count = 0; count < parts.Length; count++)
        {
            Assert.That(Inspected.Run(Stream(parts[..count]), expectation).Inspector.IsFinished, Is.False, $"after {count}");
        }

        AssertWhole(Inspected.Run(Stream([.. parts, "[DONE]"]), expectation), "ppoooo" + "d");
    }

    [Test]
    public void A_choice_that_has_begun_counts_though_nobody_asked_for_it()
    {
        var seen = Inspected.Run(Stream(Chat.Delta("a", 0), Chat.Delta("b", 3), Chat.Finish("stop", 0)));
        Assert.That(seen.Inspector.IsFinished, Is.False);
        Assert.That(Inspected.Run(Stream(Chat.Delta("b", 3), Chat.Finish("stop", 3))).Inspector.IsFinished);
    }

    [Test]
    public void An_upstream_that_gives_fewer_choices_than_asked_for_is_whole_at_its_end_mark_only()
    {
        var seen = Inspected.Run(Stream(Chat.Delta("a"), Chat.Finish()), Inspected.Expectation(choices: 2));
        Assert.That((seen.Inspector.IsFinished, seen.Inspector.IsWholeAtDone), Is.EqualTo((false, true)));
    }

    [TestCase("""{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}""")]
    [TestCase("""{"function_call":{"name":"f","arguments":"{"}}""")]
    [TestCase("""{"reasoning_content":"hm"}""")]
    [TestCase("""{"reasoning":"hm"}""")]
    [TestCase("""{"content":null,"reasoning_details":[{"type":"reasoning.text","text":"hm"}]}""")]
    [TestCase("""{"refusal":"no"}""")]
    [TestCase("""{"audio":{"id":"audio_1","data":"AAAA"}}""")]
    [TestCase("""{"content":"x"}""")]
    [TestCase("""{"content":[{"type":"text","text":"x"}]}""")]
    [TestCase("""{"something_new":"x"}""")]
    public void Every_kind_of_output_commits(string delta) => AssertDelta(delta, "o", true);

    [TestCase("{}")]
    [TestCase("null")]
    [TestCase("""{"role":"assistant"}""")]
    [TestCase("""{"role":"assistant","content":"","reasoning_content":null,"refusal":null,"tool_calls":[],"audio":{}}""")]
    [TestCase("""{"role":"assistant","content":null,"tool_calls":[ ]}""")]
    [TestCase("""{"name":"bot","content":false}""")]
    public void What_shows_nothing_does_not_commit(string delta) => AssertDelta(delta, "p", false);

    [Test]
    public void Legacy_text_commits_and_finishes()
    {
        AssertWhole(Inspected.Run(Stream(Chat.LegacyDelta(""), Chat.LegacyDelta("a"), Chat.LegacyDelta("b", "stop"), "[DONE]")), "pood");
        Assert.That(Inspected.Run(Stream(Chat.LegacyDelta("a"))).Inspector.IsFinished, Is.False);
    }

    [TestCase("""{"type":"ping"}""")]
    [TestCase("\"text\"")]
    [TestCase("17")]
    [TestCase("null")]
    [TestCase("[]")]
    public void What_is_unknown_commits_but_is_no_output(string data)
    {
        var seen = Inspected.Run(Stream(data, "[DONE]"));
        Assert.That(seen.Letters, Is.EqualTo("od"));
        Assert.That((seen.Inspector.HasOutput, seen.Inspector.IsWholeAtDone, seen.Inspector.Malformed), Is.EqualTo((false, false, 0)));
    }

    [TestCase("{")]
    [TestCase("<html>")]
    [TestCase("""{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]""")]
    [TestCase("""{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]} {}""")]
    [TestCase("""{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]},""")]
    public void What_cannot_be_read_passes_and_finishes_nothing(string data)
    {
        var seen = Inspected.Run(Stream(Chat.Delta("a"), data));
        Assert.That(seen.Letters, Is.EqualTo("oo"));
        Assert.That((seen.Inspector.Malformed, seen.Inspector.IsFinished), Is.EqualTo((1, false)));
    }

    [TestCase("\"\"", false, 0)]
    [TestCase("null", false, 0)]
    [TestCase("17", false, 0)]
    [TestCase("\"stop\"", true, 0)]
    [TestCase("\"length\"", true, 0)]
    [TestCase("\"tool_calls\"", true, 0)]
    [TestCase("\"function_call\"", true, 0)]
    [TestCase("\"content_filter\"", true, 0)]
    [TestCase("\"eos_token\"", true, 1)]
    [TestCase("\"Stop\"", true, 1)]
    public void Finish_reasons(string reason, bool finishes, int unknown)
    {
        var seen = Inspected.Run(Stream(Chat.Delta("a"), $$"""{"choices":[{"index":0,"delta":{},"finish_reason":{{reason}}}]}"""));
        Assert.That((seen.Inspector.IsFinished, seen.Inspector.UnknownFinishReasons), Is.EqualTo((finishes, unknown)));
    }

    [Test]
    public void Done_without_a_finish_reason_is_whole_only_after_output_and_only_where_none_is_required()
    {
        Assert.That(Inspected.Run(Stream(Chat.Role(), Chat.Delta("a"))).Inspector.IsWholeAtDone);
        Assert.That(Inspected.Run(Stream(Chat.Role())).Inspector.IsWholeAtDone, Is.False);
        Assert.That(Inspected.Run(Stream(Chat.Role(), Chat.Delta("a")), Inspected.Expectation(requireFinish: true)).Inspector.IsWholeAtDone, Is.False);
    }

    /// <summary>Some servers write usage into every chunk, the first included.</summary>
    [Test]
    public void Usage_commits_but_an_answer_of_usage_alone_is_not_whole()
    {
        var seen = Inspected.Run(Stream(Chat.Role()[..^1] + ",\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":0}}", Chat.Usage(), "[DONE]"));
        Assert.That(seen.Letters, Is.EqualTo("ood"));
        Assert.That((seen.Inspector.IsWholeAtDone, seen.Inspector.Usage), Is.EqualTo((false, _usage)));
    }

    [Test]
    public void The_model_is_put_back_at_the_top_of_a_chunk_and_nowhere_else()
    {
        const string Text = """{"choices":[{"index":0,"delta":{"content":"\"model\":\"up\"","model":"up"},"finish_reason":null}],"model" : "up","x":{"model":"up"}}""";
        var seen = Inspected.Run(Stream(Text), Inspected.Expectation(asked: "mine"));
        Assert.That(seen.Passed, Is.EqualTo(Stream(Text.Replace("\"model\" : \"up\"", "\"model\" : \"mine\"", StringComparison.Ordinal))));
    }

    [Test]
    public void The_model_and_a_foreign_finish_reason_are_replaced_in_one_event_in_either_order()
    {
        const string First = """{"model":"up","choices":[{"index":0,"delta":{},"finish_reason":"repetition"}]}""";
        const string Last = """{"choices":[{"finish_reason":"repetition","index":0,"delta":{}}],"model":"up"}""";
        var seen = Inspected.Run(Stream(First, Last), Inspected.Expectation(asked: "mine", maps: true));
        Assert.That(seen.Passed, Is.EqualTo(Stream(First, Last)
            .Replace("\"up\"", "\"mine\"", StringComparison.Ordinal).Replace("repetition", "stop", StringComparison.Ordinal)));
    }

    private static void AssertDelta(string delta, string letters, bool hasOutput)
    {
        var seen = Inspected.Run(Stream($$"""{"choices":[{"index":0,"delta":{{delta}},"finish_reason":null}]}"""));
        Assert.That((seen.Letters, seen.Inspector.HasOutput, seen.Inspector.IsFinished), Is.EqualTo((letters, hasOutput, false)));
    }

    private static void AssertWhole(Inspected seen, string letters)
    {
        Assert.That(seen.Letters, Is.EqualTo(letters));
        Assert.That((seen.Inspector.IsFinished, seen.Inspector.IsWholeAtDone, seen.Inspector.Failure), Is.EqualTo((true, true, (ProxyError?)null)));
    }

    private static void AssertBroken(Inspected seen) =>
        Assert.That((seen.Inspector.IsFinished, seen.Inspector.IsWholeAtDone), Is.EqualTo((false, false)));

    private static string Stream(params string[] data) => string.Concat(data.Select(Sse.Event));
}
