namespace LlmProxy.Core.Protocol;

/// <summary>
/// Tells two refusals from other mistakes of the caller that have the same status: of a request that is too long for its model, and
/// for want of money.
/// </summary>
internal static class PromptLength
{
    private const int LongestRead = 8 * 1024;

    // OpenAI and Azure name it by code; Anthropic, vLLM, SGLang, TGI, Ollama, llama.cpp, LM Studio, Google's and Amazon's
    // gateways only in words. In lower case.
    private static readonly byte[][] _signs =
    [
        "context_length_exceeded"u8.ToArray(),
        "exceed_context_size_error"u8.ToArray(),
        "maximum context length"u8.ToArray(),
        "max context length"u8.ToArray(),
        "exceeds the context length"u8.ToArray(),
        "exceeds context length"u8.ToArray(),
        "exceed context limit"u8.ToArray(),
        "exceeds the available context size"u8.ToArray(),
        "exceeds the context window"u8.ToArray(),
        "longer than the maximum model length"u8.ToArray(),
        "longer than the model's context length"u8.ToArray(),
        "loaded with context length of only"u8.ToArray(),
        "prompt is too long"u8.ToArray(),
        "input is too long for requested model"u8.ToArray(),
        "exceeds the maximum number of tokens"u8.ToArray(),
        "`inputs` tokens + `max_new_tokens` must be"u8.ToArray(),
    ];

    private static readonly byte[][] _moneySigns = ["your credit balance is too low"u8.ToArray()];

    /// <param name="json">The error's body.</param>
    public static bool IsExceeded(ReadOnlySpan<byte> json) => Has(json, _signs);

    /// <summary>Anthropic says so with the status of a bad request.</summary>
    /// <param name="json">The error's body.</param>
    public static bool IsOutOfMoney(ReadOnlySpan<byte> json) => Has(json, _moneySigns);

    private static bool Has(ReadOnlySpan<byte> json, byte[][] signs)
    {
        Span<byte> lower = stackalloc byte[Math.Min(json.Length, LongestRead)];
        for (var i = 0; i < lower.Length; i++)
        {
            lower[i] = json[i] is >= (byte)'A' and <= (byte)'Z' ? (byte)(json[i] | 0x20) : json[i];
        }

        foreach (var sign in signs)
        {
            if (lower.IndexOf(sign) >= 0)
            {
                return true;
            }
        }

        return false;
    }
}
