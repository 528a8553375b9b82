namespace LlmProxy.Host.Sources;

/// <summary>The kinds of place that a configuration can come from.</summary>
internal enum SourceKind
{
    File,
    AppSettings,
    Variables,
    Nothing,
}

/// <summary>Where this run's configuration comes from.</summary>
/// <param name="Kind">The kind of place.</param>
/// <param name="Path">The file; empty where there is none.</param>
/// <param name="Description">The place in words, for the banner.</param>
internal sealed record ConfigurationSource(SourceKind Kind, string Path, string Description)
{
    public static ConfigurationSource Nothing { get; } = new(SourceKind.Nothing, "", "nothing is configured");
}
