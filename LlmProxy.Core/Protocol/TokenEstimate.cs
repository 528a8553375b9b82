using System.Buffers;

namespace LlmProxy.Core.Protocol;

/// <summary>
/// How many tokens a body probably is, without a tokenizer: what limits set aside before there is an answer, and what is charged
/// where no usage comes. Costs a look at a few bytes of each block.
/// </summary>
/// <remarks>
/// Four bytes make a token in English, in code and in JSON; a Chinese letter has three bytes and is somewhat less than a token; a
/// Cyrillic word of six letters has twelve and is about three. Images and sound in base64 would make megabytes of it: see
/// <see cref="PromptSize"/>.
/// </remarks>
internal static class TokenEstimate
{
    /// <summary>Bytes of text that make a token.</summary>
    public const int BytesPerToken = 4;

    /// <summary>What a picture counts for, as providers count one of usual size.</summary>
    public const int TokensPerPicture = 1_000;

    /// <summary>Tokens of a prompt: at least 1 for a body that is not empty.</summary>
    /// <param name="body">All of it, as JSON.</param>
    public static long OfPrompt(in ReadOnlySequence<byte> body) => PromptSize.Of(body).Tokens;

    /// <summary>Tokens of an answer's text.</summary>
    /// <param name="bytes">Of the text as JSON, without what stands around it.</param>
    /// <param name="events">In which it came: of most servers, one for each token.</param>
    public static long OfAnswer(long bytes, long events) => Math.Max(events, (bytes + BytesPerToken - 1) / BytesPerToken);
}
