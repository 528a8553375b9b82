using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;

namespace LlmProxy.Core.Routing;

/// <summary>What follows from an upstream's kind.</summary>
/// <param name="Provider">Its name in the GenAI conventions.</param>
/// <param name="Operations">What it serves natively.</param>
/// <param name="MapsFinishReasons">It has finish reasons of its own that clients cannot read.</param>
internal sealed record UpstreamKindRules(string Provider, Operations Operations, bool MapsFinishReasons)
{
    private const Operations OpenAIOperations = Operations.Chat | Operations.Completions | Operations.Embeddings;

    private static readonly UpstreamKindRules _openAI = new("openai", OpenAIOperations, false);
    private static readonly UpstreamKindRules _compatible = new("openai_compatible", OpenAIOperations, false);
    private static readonly UpstreamKindRules _vllm = new("vllm", OpenAIOperations, true);
    private static readonly UpstreamKindRules _ollama = new("ollama", OpenAIOperations, false);

    public static UpstreamKindRules For(UpstreamKind kind) => kind switch
    {
        UpstreamKind.OpenAI => _openAI,
        UpstreamKind.VLlm => _vllm,
        UpstreamKind.Ollama => _ollama,
        _ => _compatible,
    };
}
