using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;

namespace LlmProxy.Core.Routing;

/// <summary>What follows from an upstream's kind.</summary>
/// <param name="Provider">Its name in the GenAI conventions.</param>
/// <param name="Address">Where it is, if that is well known.</param>
/// <param name="Operations">What it serves natively.</param>
/// <param name="MapsFinishReasons">It has finish reasons of its own that clients cannot read.</param>
internal sealed record UpstreamKindRules(string Provider, string? Address, Operations Operations, bool MapsFinishReasons)
{
    private const Operations OpenAIOperations = Operations.Chat | Operations.Completions | Operations.Embeddings;

    private static readonly UpstreamKindRules _openAI = new("openai", "https://api.openai.com/v1", OpenAIOperations, false);
    private static readonly UpstreamKindRules _compatible = new("openai_compatible", null, OpenAIOperations, false);
    private static readonly UpstreamKindRules _vllm = new("vllm", null, OpenAIOperations, true);
    private static readonly UpstreamKindRules _ollama = new("ollama", "http://127.0.0.1:11434/v1", OpenAIOperations, false);

    public static UpstreamKindRules For(UpstreamKind kind) => kind switch
    {
        UpstreamKind.OpenAI => _openAI,
        UpstreamKind.VLlm => _vllm,
        UpstreamKind.Ollama => _ollama,
        _ => _compatible,
    };
}
