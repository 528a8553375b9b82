using System.Globalization;
using System.Text;

namespace LlmProxy.Benchmarks.Payloads;

/// <summary>Streams as chat completions send them, the same bytes in every run.</summary>
internal static class ChatStream
{
    private static readonly string[] _words =
    [
        "The", " quick", " answer", " is", " that", " a", " proxy", " should", " not", " be", " seen", ",", " only", " its",
        " effect", ".", "\\n\\n", "```", "csharp", " var", " x", " =", " 42", ";", " Gr\u00fc\u00dfe", " \\\"so\\\"", " na\u00efve",
    ];

    /// <summary>A whole stream: the role, <paramref name="words"/> events with a word each, a finish reason, usage and <c>[DONE]</c>.</summary>
    /// <param name="words">How many events carry output.</param>
    /// <param name="bytesPerWord">About how long each is beyond its envelope; 0 for single words.</param>
    public static byte[] Create(int words, int bytesPerWord = 0)
    {
        var text = new StringBuilder();
        Append(text, """{"role":"assistant","content":"","refusal":null}""", "null");
        for (var i = 0; i < words; i++)
        {
            Append(text, $$"""{"content":"{{Word(i, bytesPerWord)}}"}""", "null");
        }

        Append(text, "{}", "\"stop\"");
        text.Append("data: ").Append(Envelope).Append(CultureInfo.InvariantCulture, $$$$""","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":{{{{words}}}},"total_tokens":{{{{19 + words}}}},"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0}}}""").Append("\n\n");
        text.Append("data: [DONE]\n\n");
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private const string Envelope =
        """{"id":"chatcmpl-CxF2b0mTq8e9wYtVJx3nKpRd7sLhA","object":"chat.completion.chunk","created":1767225600,"model":"gpt-5-mini-2025-08-07","service_tier":"default","system_fingerprint":null""";

    private static void Append(StringBuilder text, string delta, string finish) =>
        text.Append("data: ").Append(Envelope).Append(CultureInfo.InvariantCulture, $$""","choices":[{"index":0,"delta":{{delta}},"logprobs":null,"finish_reason":{{finish}}}],"obfuscation":"k3Jx0aQ"}""").Append("\n\n");

    private static string Word(int i, int bytes)
    {
        var word = new StringBuilder(_words[i % _words.Length]);
        for (var next = i + 1; word.Length < bytes; next++)
        {
            word.Append(_words[next % _words.Length]);
        }

        return word.ToString();
    }
}
