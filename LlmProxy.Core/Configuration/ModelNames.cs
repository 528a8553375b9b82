namespace LlmProxy.Core.Configuration;

/// <summary>Names of models as configured: exact ones, and patterns that end in a star.</summary>
internal sealed class ModelNames
{
    private readonly HashSet<string> _exact = new(StringComparer.Ordinal);
    private readonly List<string> _prefixes = [];

    public ModelNames(LlmProxyOptions options)
    {
        foreach (var (name, model) in options.Models)
        {
            if (IsPattern(name))
            {
                _prefixes.Add(Prefix(name));
            }
            else
            {
                _exact.Add(name);
            }

            _exact.UnionWith(model.Aliases);
        }

        All = [.. options.Models.Keys, .. options.Models.Values.SelectMany(static m => m.Aliases)];
    }

    /// <summary>Names, patterns and aliases.</summary>
    public IReadOnlyCollection<string> All { get; }

    public static bool IsPattern(string name) => name.EndsWith('*');

    public static string Prefix(string pattern) => pattern[..^1];

    /// <summary>True if a star stands elsewhere than at the end.</summary>
    public static bool HasStarInside(string name) => name.IndexOf('*', StringComparison.Ordinal) is var star && star >= 0 && star != name.Length - 1;

    /// <summary>True if a name, or some name that a pattern stands for, can be asked for.</summary>
    public bool CanServe(string nameOrPattern)
    {
        if (!IsPattern(nameOrPattern))
        {
            return _exact.Contains(nameOrPattern) || _prefixes.Exists(p => nameOrPattern.StartsWith(p, StringComparison.Ordinal));
        }

        var prefix = Prefix(nameOrPattern);
        return _exact.Any(name => name.StartsWith(prefix, StringComparison.Ordinal))
            || _prefixes.Exists(p => p.StartsWith(prefix, StringComparison.Ordinal) || prefix.StartsWith(p, StringComparison.Ordinal));
    }
}
