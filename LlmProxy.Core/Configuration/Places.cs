namespace LlmProxy.Core.Configuration;

/// <summary>
/// Where in the source the options came from, so that a rule, which sees only options, is reported with the line and in
/// the words of what was written.
/// </summary>
internal sealed class Places
{
    private const string Separator = " › ";

    private readonly Dictionary<string, int> _lines = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _written = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _references = new(StringComparer.Ordinal);
    private readonly HashSet<string> _failed = new(StringComparer.Ordinal);

    public static string Member(string path, string name) => path.Length == 0 ? name : path + Separator + name;

    public static string Item(string path, int index) => $"{path}[{index}]";

    /// <summary>The name of what a path leads to, without what it stands in.</summary>
    public static string LastName(string path)
    {
        var at = path.LastIndexOf(Separator, StringComparison.Ordinal);
        return at < 0 ? path : path[(at + Separator.Length)..];
    }

    /// <summary>What the value at a path stands in; empty at the top.</summary>
    public static string Parent(string path)
    {
        var at = path.EndsWith(']') ? path.LastIndexOf('[') : path.LastIndexOf(Separator, StringComparison.Ordinal);
        return at < 0 ? "" : path[..at];
    }

    public void AddLine(string path, int line) => _lines.TryAdd(path, line);

    /// <summary>The value that options hold at <paramref name="path"/> was written, in a shorter form, at <paramref name="written"/>.</summary>
    public void AddShortForm(string path, string written) => _written[path] = written;

    /// <summary>The value at a path is not what was written there: it holds what a reference led to, which may be secret.</summary>
    public void AddReference(string written, string text) => _references[written] = text;

    public void AddFailure(string written) => _failed.Add(written);

    /// <summary>Where the value at <paramref name="path"/> of the options was written.</summary>
    public string Written(string path)
    {
        if (_written.TryGetValue(path, out var written))
        {
            return written;
        }

        var parent = Parent(path);
        return parent.Length == 0 ? path : Written(parent) + path[parent.Length..];
    }

    /// <summary>The line of a path, or of the nearest thing around it that was written at all; 0 without a file.</summary>
    public int LineOf(string written)
    {
        for (var path = written; ; path = Parent(path))
        {
            if (_lines.TryGetValue(path, out var line) || path.Length == 0)
            {
                return line;
            }
        }
    }

    /// <summary>What may be shown of a value: its text, or the reference that stands for it in the source.</summary>
    public string Shown(string written, string value) => _references.GetValueOrDefault(written, value);

    /// <summary>True if this value, or one that holds it, could not be read: what follows from that is not news.</summary>
    public bool HasFailed(string written)
    {
        for (var path = written; ; path = Parent(path))
        {
            if (_failed.Contains(path))
            {
                return true;
            }

            if (path.Length == 0)
            {
                return false;
            }
        }
    }
}
