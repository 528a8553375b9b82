using System.Text.RegularExpressions;

namespace LlmProxy.Tests.Architecture;

/// <summary>One C# source. <see cref="Code"/> is its text with comments and literals blanked out, line for line.</summary>
internal sealed partial class SourceFile(string path, string text)
{
    /// <summary>From the repository's root, with forward slashes.</summary>
    public string Path { get; } = path;

    public string Text { get; } = text;

    public string Code { get; } = CodeOnly.Of(text);

    public string Project => Path[..Path.IndexOf('/', StringComparison.Ordinal)];

    /// <summary>The folder inside its project, as <c>Relaying</c> or <c>Support/Upstream</c>; empty at the project's root.</summary>
    public string Folder
    {
        get
        {
            var inside = Path[(Project.Length + 1)..];
            var end = inside.LastIndexOf('/');
            return end < 0 ? "" : inside[..end];
        }
    }

    public int LineCount => Text.AsSpan().TrimEnd('\n').Count('\n') + 1;

    public string? Namespace => NamespaceDeclaration().Match(Code) is { Success: true } match ? match.Groups[1].Value : null;

    /// <summary>Names of the types declared in it, nested ones included.</summary>
    public IEnumerable<string> TypeNames => TypeDeclaration().Matches(Code).Select(match => match.Groups[1].Value);

    /// <summary>The line, from 1, of a position in <see cref="Code"/>.</summary>
    public int LineOf(int position) => Code.AsSpan(0, position).Count('\n') + 1;

    public override string ToString() => Path;

    [GeneratedRegex(@"^\s*namespace\s+([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex NamespaceDeclaration();

    [GeneratedRegex(@"\b(?:class|struct|interface|enum|record(?:\s+(?:class|struct))?|delegate\s+[\w<>?\[\]., ]+?)\s+(?!struct\b|class\b)(\w+)\s*(?=[<({:;]|\bwhere\b)")]
    private static partial Regex TypeDeclaration();
}
