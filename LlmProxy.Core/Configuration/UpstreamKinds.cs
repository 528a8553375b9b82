namespace LlmProxy.Core.Configuration;

/// <summary>What is known of each kind of upstream before anything is configured.</summary>
internal static class UpstreamKinds
{
    private static readonly Uri OpenAI = new("https://api.openai.com/v1");
    private static readonly Uri Anthropic = new("https://api.anthropic.com/v1");
    private static readonly Uri Ollama = new("http://127.0.0.1:11434/v1");

    /// <summary>The names that operators write.</summary>
    public static IReadOnlyList<(string Word, UpstreamKind Value)> Names { get; } =
    [
        ("OpenAI", UpstreamKind.OpenAI),
        ("AzureOpenAI", UpstreamKind.AzureOpenAI),
        ("vLLM", UpstreamKind.VLlm),
        ("Ollama", UpstreamKind.Ollama),
        ("Anthropic", UpstreamKind.Anthropic),
        ("OpenAICompatible", UpstreamKind.OpenAICompatible),
    ];

    /// <summary>What an address of a kind looks like, for those who did not write one.</summary>
    public static string ExampleAddress(UpstreamKind kind) =>
        kind == UpstreamKind.AzureOpenAI ? "https://example-eu.openai.azure.com" : "http://10.0.4.11:8000";

    /// <summary>The address of a kind whose address is well known, else null: then the operator says it.</summary>
    public static Uri? WellKnownAddress(UpstreamKind kind) => kind switch
    {
        UpstreamKind.OpenAI => OpenAI,
        UpstreamKind.Anthropic => Anthropic,
        UpstreamKind.Ollama => Ollama,
        _ => null,
    };
}
