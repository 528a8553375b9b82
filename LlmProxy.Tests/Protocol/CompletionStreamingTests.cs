using System.Buffers;
using System.Text;
using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Protocol;

/// <summary>A completion in JSON as the stream that was asked for.</summary>
internal sealed class CompletionStreamingTests
{
    [Test]
    [Category("U26")]
    public void U26_a_chat_completion_becomes_deltas_a_finish_reason_and_the_mark()
    {
        const string Answer = """
            {
              "id": "c1", "object": "chat.completion", "created": 17600000001234567890, "model": "m", "system_fingerprint": null,
              "choices": [
                { "index": 0, "message": { "role": "assistant", "content": null, "tool_calls": [
                    { "id": "a", "type": "function", "function": { "name": "f", "arguments": "{\"x\":\n1}" } },
                    { "id": "b", "type": "function", "function": { "name": "g", "arguments": "" } } ] },
                  "logprobs": null, "finish_reason": "tool_calls" },
                { "index": 1, "message": { "role": "assistant", "content": "\ud83e\udd93 \ud800", "reasoning_content": "hm" }, "finish_reason": "stop" }
              ],
              "usage": { "prompt_tokens": 9, "completion_tokens": 12 }
            }
            """;
        const string Start = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":17600000001234567890,\"model\":\"m\",\"system_fingerprint\":null,";
        string[] expected =
        [
            Start + """
                "choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":\n1}"}},{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}]},"logprobs":null,"finish_reason":null}]}
                """,
            Start + """
                "choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}
                """,
            Start + """
                "choices":[{"index":1,"delta":{"role":"assistant","content":"\ud83e\udd93 \ud800","reasoning_content":"hm"},"finish_reason":null}]}
                """,
            Start + """
                "choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}
                """,
        ];
        string events = string.Concat(expected.Select(e => e + "\n\n"));
        Assert.That(Write(Dialect.Chat, Answer, includesUsage: false), Is.EqualTo(events + "data: [DONE]\n\n"));
        Assert.That(Write(Dialect.Chat, Answer, includesUsage: true), Is.EqualTo(
            events + Start + "\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12}}\n\ndata: [DONE]\n\n"));
    }

    [Test]
    [Category("U26")]
    public void U26_a_legacy_completion_becomes_a_chunk_for_each_choice() => Assert.That(
        Write(Dialect.Legacy, """{"id":"c","object":"text_completion","choices":[{"text":"a","index":0,"finish_reason":"stop"},{"text":"b","index":1,"finish_reason":"length"}]}""", false),
        Is.EqualTo("""
            data: {"id":"c","object":"text_completion","choices":[{"text":"a","index":0,"finish_reason":"stop"}]}

            data: {"id":"c","object":"text_completion","choices":[{"text":"b","index":1,"finish_reason":"length"}]}

            data: [DONE]


            """));

    [TestCase("{}")]
    [TestCase("{\"choices\":[]}")]
    [TestCase("{\"choices\":{}}")]
    [TestCase("{\"choices\":[{\"text\":\"legacy\"}]}")]
    [TestCase("{\"choices\":[{\"message\":\"no object\"}]}")]
    [TestCase("{\"choices\":[1]}")]
    public void What_is_no_completion_stays_none(string answer) => Assert.That(Write(Dialect.Chat, answer, false), Is.Null);

    [Test]
    public void Other_dialects_are_not_converted()
    {
        const string Answer = """{"choices":[{"message":{"content":"a"}}]}""";
        foreach (Dialect dialect in (Dialect[])[Dialect.Plain, Dialect.Responses, Dialect.Messages])
        {
            Assert.That(Write(dialect, Answer, false), Is.Null);
        }
    }

    private static string? Write(Dialect dialect, string answer, bool includesUsage)
    {
        var output = new ArrayBufferWriter<byte>();
        return dialect.TryWriteAsStream(Encoding.UTF8.GetBytes(answer), includesUsage, output) ? Encoding.UTF8.GetString(output.WrittenSpan) : null;
    }
}
