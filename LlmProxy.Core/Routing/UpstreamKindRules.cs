using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;

namespace LlmProxy.Core.Routing;

/// <summary>What follows from an upstream's kind.</summary>
/// <param name="Provider">Its name in the GenAI conventions.</param>
/// <param name="Operations">What it serves natively.</param>
internal sealed record UpstreamKindRules(string Provider, Operations Operations)
{
    private const Operations OpenAIOperations = Operations.Chat | Operations.Completions | Operations.Embeddings;

    private static readonly UpstreamKindRules _openAI = new("openai", OpenAIOperations | Operations.Responses);

    private static readonly UpstreamKindRules _azure = _openAI with { Provider = "azure.ai.openai", KeyHeader = "api-key", KeyPrefix = "" };

    // Whether a dated version serves Responses depends on the date: that is for the configuration to say.
    private static readonly UpstreamKindRules _azureDeployments = _azure with { Operations = OpenAIOperations, HasDeployments = true };

    // Servers that call themselves compatible mostly mean completions: the rest is for the configuration to say.
    private static readonly UpstreamKindRules _compatible = new("openai_compatible", OpenAIOperations);
    private static readonly UpstreamKindRules _vllm = new("vllm", OpenAIOperations | Operations.Responses) { MapsFinishReasons = true };
    private static readonly UpstreamKindRules _ollama = new("ollama", OpenAIOperations);
    private static readonly UpstreamKindRules _anthropic = new("anthropic", Operations.Messages | Operations.CountTokens)
    {
        KeyHeader = "x-api-key",
        KeyPrefix = "",
        Headers = [new("anthropic-version", "2023-06-01")],
    };

    /// <summary>It has finish reasons of its own that clients cannot read.</summary>
    public bool MapsFinishReasons { get; private init; }

    /// <summary>The header that the key goes into.</summary>
    public string KeyHeader { get; private init; } = "Authorization";

    /// <summary>What stands before the key.</summary>
    public string KeyPrefix { get; private init; } = "Bearer ";

    /// <summary>Sent with every request that has none of that name.</summary>
    public KeyValuePair<string, string>[] Headers { get; private init; } = [];

    /// <summary>Some operations stand below the model's own path, <c>/deployments/{model}</c>.</summary>
    public bool HasDeployments { get; private init; }

    /// <summary>
    /// The path, behind the base address, that answers a GET with 200 as long as somebody is there and takes the key. All of
    /// these kinds list their models there, at no cost.
    /// </summary>
    public string Probe { get; private init; } = "/models";

    /// <param name="upstream">Its kind and what distinguishes it within its kind.</param>
    public static UpstreamKindRules For(UpstreamOptions upstream) => upstream.Kind switch
    {
        UpstreamKind.OpenAI => _openAI,
        UpstreamKind.AzureOpenAI => AzureRules.HasDeployments(upstream) ? _azureDeployments : _azure,
        UpstreamKind.VLlm => _vllm,
        UpstreamKind.Ollama => _ollama,
        UpstreamKind.Anthropic => _anthropic,
        _ => _compatible,
    };
}
