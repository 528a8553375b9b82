namespace LlmProxy.Host.Sources;

/// <summary>Finds where the configuration comes from, in the documented order; the first place that has one is the only one.</summary>
internal static class ConfigurationLookup
{
    /// <summary>The variable that names a file.</summary>
    public const string FileVariable = "LLMPROXY_CONFIG";

    /// <summary>The file that is looked for in the current folder, and that <c>init</c> writes.</summary>
    public const string LocalFile = "llmproxy.json";

    private const string SystemFile = "/etc/llmproxy/llmproxy.json";
    private const string AppSettings = "appsettings.json";
    private const string Section = "LlmProxy";

    /// <summary>Finds it.</summary>
    /// <param name="named">The value of <c>--config</c>, if given.</param>
    /// <param name="variables">The four environment variables.</param>
    /// <exception cref="RefusedException">A named file is missing, or there are two configurations.</exception>
    public static ConfigurationSource Find(string? named, UpstreamVariables variables)
    {
        var file = FindFile(named);
        if (file is not null && variables.AreComplete)
        {
            throw new RefusedException(
                $"Configured twice: by {file.Description} and by the variables {variables.Names}. Unset the variables or remove the file.");
        }

        if (file is not null)
        {
            return file;
        }

        variables.RefuseHalf();
        return variables.AreComplete
            ? new ConfigurationSource(SourceKind.Variables, "", $"the variables {variables.Names}")
            : ConfigurationSource.Nothing;
    }

    /// <summary>The section of appsettings.json, as the configuration system reads it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="follows">It is read again when the file changes; a file that is no JSON then counts as one without the section.</param>
    public static IConfigurationSection ReadSection(string path, bool follows = false)
    {
        var isFirst = true;
        try
        {
            var section = new ConfigurationBuilder()
                .AddJsonFile(file =>
                {
                    (file.Path, file.Optional, file.ReloadOnChange) = (Path.GetFullPath(path), false, follows);
                    file.OnLoadException = broken => broken.Ignore = !isFirst;
                    file.ResolveFileProvider();
                })
                .Build()
                .GetSection(Section);
            isFirst = false;
            return section;
        }
        catch (Exception broken) when (broken is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new RefusedException($"{path} cannot be read: {(broken.InnerException ?? broken).Message}");
        }
    }

    private static ConfigurationSource? FindFile(string? named)
    {
        if (named is not null)
        {
            return Named(named, "--config");
        }

        if (Environment.GetEnvironmentVariable(FileVariable) is { Length: > 0 } fromVariable)
        {
            return Named(fromVariable, FileVariable);
        }

        if (File.Exists(LocalFile))
        {
            return new ConfigurationSource(SourceKind.File, LocalFile, "./" + LocalFile);
        }

        if (File.Exists(SystemFile))
        {
            return new ConfigurationSource(SourceKind.File, SystemFile, SystemFile);
        }

        return File.Exists(AppSettings) && ReadSection(AppSettings).Exists()
            ? new ConfigurationSource(SourceKind.AppSettings, AppSettings, $"the section {Section} of ./{AppSettings}")
            : null;
    }

    /// <summary>A file that somebody named and that is not there is an error, never the demo.</summary>
    private static ConfigurationSource Named(string path, string by) => File.Exists(path)
        ? new ConfigurationSource(SourceKind.File, path, path)
        : throw new RefusedException($"{by} names {path}, which {(Directory.Exists(path) ? "is a folder" : "does not exist")}.");
}
