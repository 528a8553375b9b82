namespace LlmProxy.Core.Authentication;

/// <summary>A list of models that may be used: names, compared exactly, and patterns. An empty list holds nothing.</summary>
internal sealed class ModelAllowance
{
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly List<string> _prefixes = [];

    /// <param name="entries">As written in configuration.</param>
    /// <param name="resolve">The name that an alias stands for.</param>
    public ModelAllowance(IEnumerable<string> entries, Func<string, string> resolve)
    {
        foreach (var entry in entries)
        {
            // A pattern that is configured as a model is also known under its own name.
            _names.Add(resolve(entry));
            if (entry.EndsWith('*'))
            {
                _prefixes.Add(entry[..^1]);
            }
        }
    }

    public bool Holds(string resolved)
    {
        if (_names.Contains(resolved))
        {
            return true;
        }

        foreach (var prefix in _prefixes)
        {
            if (resolved.StartsWith(prefix, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }
}
