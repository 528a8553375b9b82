namespace LlmProxy.Core.Protocol;

/// <summary>Tells an upstream's refusal of a request that is too long for its model from other mistakes of the caller.</summary>
internal static class PromptLength
{
    // OpenAI and Azure name it by code; Anthropic, vLLM, llama.cpp, Bedrock's and Google's gateways only in words.
    private static readonly byte[][] _signs =
    [
        "context_length_exceeded"u8.ToArray(),
        "prompt is too long"u8.ToArray(),
        "maximum context length"u8.ToArray(),
        "exceed context limit"u8.ToArray(),
        "exceed_context_size_error"u8.ToArray(),
        "exceeds the available context size"u8.ToArray(),
        "Input is too long for requested model"u8.ToArray(),
        "exceeds the maximum number of tokens"u8.ToArray(),
        "exceeds the context window"u8.ToArray(),
    ];

    /// <param name="json">The error's body.</param>
    public static bool IsExceeded(ReadOnlySpan<byte> json)
    {
        foreach (var sign in _signs)
        {
            if (json.IndexOf(sign) >= 0)
            {
                return true;
            }
        }

        return false;
    }
}
