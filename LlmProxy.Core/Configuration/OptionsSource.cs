using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Primitives;

namespace LlmProxy.Core.Configuration;

/// <summary>A place that options come from, to be read at the start and again whenever it may have changed.</summary>
/// <param name="name">For people.</param>
/// <param name="adjust">Completes what was read, or refuses it.</param>
internal abstract class OptionsSource(string name, Action<LlmProxyOptions>? adjust)
{
    public string Name => name;

    /// <summary>True where callers may have their keys in a store, so that the configuration needs none.</summary>
    public Func<bool> HasKeyStore { get; set; } = static () => false;

    /// <summary>Reads it, whole. What cannot be used is a value, not an exception.</summary>
    public OptionsReading Read()
    {
        using var trace = new SourceTrace();
        IReadOnlyList<ConfigurationProblem> warnings = [];
        try
        {
            var options = Read(trace, out warnings);
            NoteAuthorities(options, trace);
            adjust?.Invoke(options);
            if (!HasKeyStore() && LlmProxyConfiguration.FindMissingCallers(options) is { } missing)
            {
                throw new LlmProxyConfigurationException(name, [missing]);
            }

            return new OptionsReading { Options = options, Warnings = warnings, Files = trace.Files, Digest = trace.TakeDigest() };
        }
        catch (LlmProxyConfigurationException unusable)
        {
            return new OptionsReading { Error = unusable, Warnings = warnings, Files = trace.Files, Digest = trace.TakeDigest() };
        }
    }

    // What these files hold is no part of the options, and still of what they mean.
    private static void NoteAuthorities(LlmProxyOptions options, SourceTrace trace)
    {
        foreach (var file in options.Upstreams.Values.Select(static u => u.CaFile).OfType<string>().Distinct())
        {
            try
            {
                trace.ReadFile(file, File.ReadAllBytes);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It was read a moment ago; it is noted that it has gone.
            }
        }
    }

    /// <summary>Calls back when the source itself tells that it has changed; files are looked at by whoever watches.</summary>
    public virtual IDisposable? Follow(Action changed) => null;

    protected abstract LlmProxyOptions Read(SourceTrace trace, out IReadOnlyList<ConfigurationProblem> warnings);
}

/// <summary>A file of our own.</summary>
/// <param name="path">Where it is.</param>
/// <param name="name">For people.</param>
/// <param name="adjust">Completes what was read, or refuses it.</param>
internal sealed class FileSource(string path, string name, Action<LlmProxyOptions>? adjust) : OptionsSource(name, adjust)
{
    protected override LlmProxyOptions Read(SourceTrace trace, out IReadOnlyList<ConfigurationProblem> warnings) =>
        LlmProxyConfiguration.ReadFile(path, Name, trace, out warnings);
}

/// <summary>A section of the app's configuration.</summary>
/// <param name="section">The section.</param>
/// <param name="adjust">Completes what was read, or refuses it.</param>
internal sealed class SectionSource(IConfigurationSection section, Action<LlmProxyOptions>? adjust) : OptionsSource(section.Path, adjust)
{
    public override IDisposable Follow(Action changed) => ChangeToken.OnChange(section.GetReloadToken, changed);

    protected override LlmProxyOptions Read(SourceTrace trace, out IReadOnlyList<ConfigurationProblem> warnings)
    {
        foreach (var (key, value) in section.AsEnumerable(makePathsRelative: true))
        {
            trace.Note(key);
            trace.Note(value);
        }

        return LlmProxyConfiguration.ReadSection(section, trace.References, out warnings);
    }
}
