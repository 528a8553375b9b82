namespace LlmProxy.Core.Configuration;

/// <summary>The kinds of upstream that this version speaks to.</summary>
public enum UpstreamKind
{
    /// <summary>Anything that serves the OpenAI API at some address.</summary>
    OpenAICompatible,

    /// <summary>api.openai.com.</summary>
    OpenAI,

    /// <summary>A vLLM server.</summary>
    VLlm,

    /// <summary>An Ollama server, through its OpenAI endpoints.</summary>
    Ollama,

    /// <summary>api.anthropic.com, or another server of the Anthropic API: messages and their token counts.</summary>
    Anthropic,

    /// <summary>An Azure OpenAI resource; see <see cref="UpstreamOptions.ApiVersion"/> for its two ways of being asked.</summary>
    AzureOpenAI,
}
