using Microsoft.Extensions.Configuration;

namespace LlmProxy.Core.Configuration;

/// <summary>Reads <see cref="LlmProxyOptions"/> strictly: what is misspelt, unknown or out of range is an error, never ignored.</summary>
public static class LlmProxyConfiguration
{
    private const string SchemaFile = "llmproxy.schema.json";

    /// <summary>The JSON schema of a configuration file, by which editors complete and check it. Also in the package, as <c>llmproxy.schema.json</c>.</summary>
    public static string Schema
    {
        get
        {
            using var text = new StreamReader(typeof(LlmProxyConfiguration).Assembly.GetManifestResourceStream(SchemaFile)!);
            return text.ReadToEnd();
        }
    }

    /// <summary>Reads a configuration file (JSON; comments and trailing commas allowed), with <c>${NAME}</c> and <c>${file:/path}</c> filled in.</summary>
    /// <param name="path">The file.</param>
    /// <param name="warnings">What is doubtful but usable.</param>
    /// <exception cref="LlmProxyConfigurationException">The file is missing, malformed or not usable; all reasons at once.</exception>
    public static LlmProxyOptions ReadFile(string path, out IReadOnlyList<ConfigurationProblem> warnings)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var trace = new SourceTrace();
        return ReadFile(path, path, trace, out warnings);
    }

    /// <summary>Reads a section of the app's configuration with the same strictness, as far as the configuration binder has kept what was written.</summary>
    /// <param name="section">For example <c>builder.Configuration.GetSection("LlmProxy")</c>.</param>
    /// <param name="warnings">What is doubtful but usable.</param>
    /// <exception cref="LlmProxyConfigurationException">The section is missing or not usable; all reasons at once.</exception>
    public static LlmProxyOptions ReadSection(IConfigurationSection section, out IReadOnlyList<ConfigurationProblem> warnings)
    {
        ArgumentNullException.ThrowIfNull(section);
        return ReadSection(section, References.FromEnvironment, out warnings);
    }

    /// <summary>
    /// Checks options that were made in code: ranges, and that every name that is referred to exists. Not whether anybody
    /// can call: keys may be added by who starts the proxy.
    /// </summary>
    public static IReadOnlyList<ConfigurationProblem> Validate(LlmProxyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var problems = new Problems();
        OptionsRules.Check(options, problems);
        return problems.InOrder;
    }

    /// <summary>What is wrong if nobody could call, or if everybody could without having been meant to; null if all is well.</summary>
    internal static ConfigurationProblem? FindMissingCallers(LlmProxyOptions options) =>
        options.Keys.Count > 0 || options.HostIdentity is not null || options.AllowAnonymous
            ? null
            : new ConfigurationProblem(true, 0, "Keys", "nobody could call: configure Keys, or HostIdentity to take callers from the app's " +
                "own users, or AllowAnonymous: true to serve everybody who can reach it.");

    /// <summary>Reads a file and notes what it depends on.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="source">Names it in the exception.</param>
    /// <param name="trace">Notes it.</param>
    /// <param name="warnings">What is doubtful but usable.</param>
    internal static LlmProxyOptions ReadFile(string path, string source, SourceTrace trace, out IReadOnlyList<ConfigurationProblem> warnings)
    {
        byte[] text;
        try
        {
            text = trace.ReadFile(path, File.ReadAllBytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            var reason = e switch
            {
                FileNotFoundException or DirectoryNotFoundException => "the file does not exist.",
                UnauthorizedAccessException => "the file cannot be read: it is a directory, or access is denied.",
                _ => "the file cannot be read.",
            };
            throw new LlmProxyConfigurationException(source, [new ConfigurationProblem(true, 0, "", reason)]);
        }

        return Parse(text, source, trace.References, out warnings);
    }

    /// <summary>Reads the bytes of a file.</summary>
    /// <param name="utf8">The bytes.</param>
    /// <param name="source">Names the file in the exception.</param>
    /// <param name="references">Fills in references.</param>
    /// <param name="warnings">What is doubtful but usable.</param>
    internal static LlmProxyOptions Parse(
        ReadOnlySpan<byte> utf8, string source, References references, out IReadOnlyList<ConfigurationProblem> warnings)
    {
        var problems = new Problems();
        return Bind(FileTree.Parse(utf8, problems), problems, source, references, out warnings);
    }

    /// <summary>Reads a section with references that lead elsewhere than to this machine's environment and files.</summary>
    internal static LlmProxyOptions ReadSection(
        IConfigurationSection section, References references, out IReadOnlyList<ConfigurationProblem> warnings)
    {
        var problems = new Problems();
        var source = $"the section {Problems.Quote(section.Path)}";
        if (!section.Exists())
        {
            problems.Unreadable("", 0, "the section does not exist.");
            return Bind(null, problems, source, references, out warnings);
        }

        return Bind(SectionTree.Parse(section, problems), problems, source, references, out warnings);
    }

    private static LlmProxyOptions Bind(
        ConfigurationNode? root, Problems problems, string source, References references, out IReadOnlyList<ConfigurationProblem> warnings)
    {
        LlmProxyOptions? options = null;
        if (root is not null && RootTable.Shape.TryRead(root, new Reading(problems, references), out options))
        {
            OptionsRules.Check(options, problems);
            CallerEnds.Settle(options);
        }

        warnings = problems.InOrder;
        return options is null || problems.HasErrors ? throw new LlmProxyConfigurationException(source, warnings) : options;
    }
}
