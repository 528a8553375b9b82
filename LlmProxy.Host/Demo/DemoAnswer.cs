using System.Security.Cryptography;

namespace LlmProxy.Host.Demo;

/// <summary>What the fake model says: it repeats the question, so that whoever asked sees that it was heard.</summary>
internal sealed class DemoAnswer
{
    private const int LongestEcho = 200;

    public DemoAnswer(DemoRequest request, bool legacy, DateTimeOffset now)
    {
        Id = (legacy ? "cmpl-demo-" : "chatcmpl-demo-") + RandomNumberGenerator.GetHexString(16, lowercase: true);
        Created = now.ToUnixTimeSeconds();
        Words = Split(Say(request.Prompt), request.MostTokens, out var isCut);
        FinishReason = isCut ? "length" : "stop";
        InputTokens = request.InputTokens;
        OutputTokens = DemoRequest.Tokens(Words.Sum(static word => word.Length)) * request.Choices;
    }

    public string Id { get; }

    public long Created { get; }

    /// <summary>The text, in the pieces in which it is streamed; each but the first begins with its space.</summary>
    public IReadOnlyList<string> Words { get; }

    public string FinishReason { get; }

    public int InputTokens { get; }

    public int OutputTokens { get; }

    private static string Say(string prompt)
    {
        var heard = prompt.Trim();
        if (heard.Length > LongestEcho)
        {
            // Never between the halves of a surrogate pair: the answer must stay valid text.
            var end = char.IsHighSurrogate(heard[LongestEcho - 1]) ? LongestEcho - 1 : LongestEcho;
            heard = heard[..end] + "…";
        }

        var opening = heard.Length == 0 ? "You said nothing." : $"You said: “{heard}”.";
        return $"Hello, this is the demo model of LlmProxy. {opening} I am a fake: I only repeat what I hear, word by word and at "
            + "a human pace, so that you can watch a stream arrive. Nothing of this left your machine. To reach a real model, "
            + "write a configuration with: llmproxy init";
    }

    private static List<string> Split(string text, int mostTokens, out bool isCut)
    {
        var words = new List<string>();
        var characters = 0;
        foreach (var range in text.AsSpan().Split(' '))
        {
            var word = words.Count == 0 ? text[range] : " " + text[range];
            characters += word.Length;
            if (DemoRequest.Tokens(characters) > mostTokens)
            {
                isCut = true;
                return words;
            }

            words.Add(word);
        }

        isCut = false;
        return words;
    }
}
