using System.Text.RegularExpressions;

namespace LlmProxy.Core.Configuration;

/// <summary>Collects what is wrong, so that all of it is reported at once.</summary>
internal sealed partial class Problems
{
    /// <summary>Stands in a rule's message for the value that it is about, quoted.</summary>
    public const string Value = "{value}";

    private readonly List<ConfigurationProblem> _found = [];

    public Places Places { get; } = new();

    public bool HasErrors => _found.Exists(static p => p.IsError);

    /// <summary>Everything found, in the order of the file.</summary>
    public IReadOnlyList<ConfigurationProblem> InOrder => [.. _found.OrderBy(static p => p.Line)];

    /// <summary>A value could not be read.</summary>
    public void Unreadable(string path, int line, string message)
    {
        Places.AddFailure(path);
        Add(true, line, path, message);
    }

    /// <summary>A value is doubtful as it was written.</summary>
    public void Doubtful(string path, int line, string message) => Add(false, line, path, message);

    /// <summary>
    /// A value of the options breaks a rule, or is needed and not there. Left unsaid if it, or what holds it, could not be
    /// read: the rule then sees a default that nobody wrote.
    /// </summary>
    public void Error(string path, string message, string? value = null) => Add(true, path, message, value);

    /// <summary>A value of the options is doubtful.</summary>
    public void Warning(string path, string message, string? value = null) => Add(false, path, message, value);

    /// <summary>A value in quotes, fit for one line of a message.</summary>
    public static string Quote(string value) => $"\"{(value.Length > 64 ? value[..64] + "…" : value)}\"";

    private void Add(bool isError, string path, string message, string? value)
    {
        var written = Places.Written(path);
        if (Places.HasFailed(written))
        {
            return;
        }

        if (value is not null)
        {
            message = message.Replace(Value, Quote(Places.Shown(written, value)), StringComparison.Ordinal);
        }

        Add(isError, Places.LineOf(written), written, message);
    }

    private void Add(bool isError, int line, string path, string message) =>
        _found.Add(new ConfigurationProblem(isError, line, Clean(path), Clean(message)));

    // Messages quote names, references and values that are not secret. This is the net under that rule, for a key that
    // was written where a name belongs; and for control characters, which would write on the operator's terminal.
    private static string Clean(string text) => Controls().Replace(Keys().Replace(text, "sk-…"), "\uFFFD");

    [GeneratedRegex("sk-[A-Za-z0-9_-]{6,}", RegexOptions.CultureInvariant)]
    private static partial Regex Keys();

    [GeneratedRegex(@"[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]", RegexOptions.CultureInvariant)]
    private static partial Regex Controls();
}
