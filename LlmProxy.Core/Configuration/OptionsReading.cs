namespace LlmProxy.Core.Configuration;

/// <summary>What came of reading a configuration once.</summary>
internal sealed class OptionsReading
{
    /// <summary>Null if it cannot be used; <see cref="Error"/> says why.</summary>
    public LlmProxyOptions? Options { get; init; }

    public LlmProxyConfigurationException? Error { get; init; }

    public IReadOnlyList<ConfigurationProblem> Warnings { get; init; } = [];

    /// <summary>The files that it depends on.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>The same for two readings that saw the same.</summary>
    public required string Digest { get; init; }
}
