using System.Text.RegularExpressions;
using NUnit.Framework;

namespace LlmProxy.Tests.Architecture;

/// <summary>The tree's rules that can be read off the files.</summary>
[TestFixture]
internal sealed partial class TreeTests
{
    private const int LongestFile = 300;
    private const int LongestMethod = 59;

    private static readonly string[] _visible =
        ["LlmProxy.Core", "LlmProxy.Host", "LlmProxy.Benchmarks", "LlmProxy.Tests", "global.json", "README.md"];

    private static readonly string[] _lookedForByTools =
    [
        ".ci", ".editorconfig", ".gitignore", ".gitattributes", "Directory.Build.props", "Directory.Packages.props",
        "LlmProxy.slnx", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
    ];

    private static readonly string[] _bannedWords = ["Manager", "Helper", "Context", "Processor", "Util"];

    [Test]
    public void The_top_level_is_what_it_is_meant_to_be() =>
        Assert.That(SourceTree.TopLevel(), Is.EquivalentTo(_visible.Concat(_lookedForByTools)));

    [Test]
    public void No_file_is_longer_than_a_reader_can_hold() =>
        Expect.None(
            $"files over {LongestFile} lines",
            from file in SourceTree.Sources()
            where file.LineCount > LongestFile
            select $"{file}: {file.LineCount}");

    [Test]
    public void No_method_is_longer_than_a_screen() =>
        Expect.None(
            $"methods over {LongestMethod} lines",
            from file in SourceTree.Sources()
            from member in Members.Of(file)
            where member.LineCount > LongestMethod
            select $"{file}:{member.FirstLine}: {member.LineCount} lines: {member.Name}");

    [Test]
    public void A_namespace_is_its_folder() =>
        Expect.None(
            "files whose namespace is not their folder",
            from file in SourceTree.Sources()
            let expected = file.Folder.Length == 0 ? file.Project : $"{file.Project}.{file.Folder.Replace('/', '.')}"
            where file.Namespace is not null && file.Namespace != expected
            select $"{file}: {file.Namespace}, expected {expected}");

    [Test]
    public void A_file_that_declares_a_type_has_a_namespace() =>
        Expect.None(
            "types in no namespace",
            from file in SourceTree.Sources()
            where file.Namespace is null && file.TypeNames.Any(name => name != "Program")
            select file.Path);

    [Test]
    public void No_type_is_named_like_a_folder()
    {
        var folders = SourceTree.Sources().SelectMany(file => file.Folder.Split('/')).Where(name => name.Length > 0).ToHashSet();
        Expect.None(
            "types named like a folder, which makes one of the two unreachable",
            from file in SourceTree.Sources()
            from type in file.TypeNames
            where folders.Contains(type)
            select $"{file}: {type}");
    }

    [Test]
    public void Types_are_named_in_the_words_of_the_field() =>
        Expect.None(
            $"type names with one of {string.Join(", ", _bannedWords)}",
            from file in SourceTree.Sources()
            from type in file.TypeNames
            where _bannedWords.Any(word => Regex.IsMatch(type, word + "(?![a-z])") || type.Contains("Utilit", StringComparison.Ordinal))
            select $"{file}: {type}");

    [Test]
    public void Nothing_of_ours_is_imported_behind_a_files_back()
    {
        var projects = SourceTree.Projects.Select(name => Path.Combine(SourceTree.Root, name, name + ".csproj"))
            .Append(Path.Combine(SourceTree.Root, "Directory.Build.props"));
        Expect.None(
            "global usings of our own namespaces",
            SourceTree.Sources().Where(file => GlobalUsing().IsMatch(file.Code)).Select(file => file.Path)
                .Concat(projects.Where(path => UsingItem().IsMatch(File.ReadAllText(path)))));
    }

    [GeneratedRegex(@"\bglobal\s+using\s[^;]*\bLlmProxy\b")]
    private static partial Regex GlobalUsing();

    [GeneratedRegex(@"<Using\s+Include=""(?:global::)?LlmProxy\b")]
    private static partial Regex UsingItem();
}
