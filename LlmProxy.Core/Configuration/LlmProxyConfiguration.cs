using Microsoft.Extensions.Configuration;

namespace LlmProxy.Core.Configuration;

/// <summary>Reads <see cref="LlmProxyOptions"/> strictly: what is misspelt, unknown or out of range is an error, never ignored.</summary>
public static class LlmProxyConfiguration
{
    /// <summary>Reads a configuration file (JSON; comments and trailing commas allowed), with <c>${NAME}</c> and <c>${file:/path}</c> filled in.</summary>
    /// <param name="path">The file.</param>
    /// <param name="warnings">What is doubtful but usable.</param>
    /// <exception cref="LlmProxyConfigurationException">The file is missing, malformed or not usable; all reasons at once.</exception>
    public static LlmProxyOptions ReadFile(string path, out IReadOnlyList<ConfigurationProblem> warnings) =>
        throw new NotImplementedException();

    /// <summary>Reads a section of the app's configuration with the same strictness, as far as the configuration binder has kept what was written.</summary>
    /// <param name="section">For example <c>builder.Configuration.GetSection("LlmProxy")</c>.</param>
    /// <param name="warnings">What is doubtful but usable.</param>
    /// <exception cref="LlmProxyConfigurationException">The section is missing or not usable; all reasons at once.</exception>
    public static LlmProxyOptions ReadSection(IConfigurationSection section, out IReadOnlyList<ConfigurationProblem> warnings) =>
        throw new NotImplementedException();

    /// <summary>Checks options that were made in code: ranges, and that every name that is referred to exists.</summary>
    public static IReadOnlyList<ConfigurationProblem> Validate(LlmProxyOptions options) => throw new NotImplementedException();
}
