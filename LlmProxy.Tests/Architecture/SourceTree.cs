using System.IO.Enumeration;

namespace LlmProxy.Tests.Architecture;

/// <summary>The repository as files: where it is and what stands in it, build output left out.</summary>
internal static class SourceTree
{
    public static readonly string[] Projects = ["LlmProxy.Core", "LlmProxy.Host", "LlmProxy.Tests", "LlmProxy.Benchmarks"];

    public static string Root { get; } = FindRoot();

    /// <summary>All C# sources, or those of one project.</summary>
    public static IEnumerable<SourceFile> Sources(string? project = null) =>
        from name in project is null ? Projects : [project]
        from file in Directory.EnumerateFiles(Path.Combine(Root, name), "*.cs", SearchOption.AllDirectories)
        let path = Path.GetRelativePath(Root, file).Replace('\\', '/')
        where !path.Contains("/obj/", StringComparison.Ordinal) && !path.Contains("/bin/", StringComparison.Ordinal)
        orderby path
        select new SourceFile(path, File.ReadAllText(file));

    /// <summary>Names of what stands at the root and is not ignored.</summary>
    public static IEnumerable<string> TopLevel()
    {
        var ignored = File.ReadLines(Path.Combine(Root, ".gitignore"))
            .Select(line => line.Trim().TrimEnd('/'))
            .Where(line => line.Length > 0 && line[0] != '#')
            .Append(".git")
            .ToArray();
        return Directory.EnumerateFileSystemEntries(Root)
            .Select(entry => Path.GetFileName(entry))
            .Where(name => !ignored.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false)));
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "LlmProxy.slnx")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("The tests do not run inside the repository: no LlmProxy.slnx above them.");
    }
}
