using System.Text.RegularExpressions;
using System.Xml.Linq;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Architecture;

/// <summary>Documentation that outlives its subject is worse than none: what it lists is compared with what there is.</summary>
[TestFixture]
internal sealed partial class DocumentationTests
{
    private static readonly string _reference = Read("LlmProxy.Host/README.md");

    [Test]
    public void Every_option_is_in_the_reference() =>
        Expect.None(
            "options that LlmProxy.Host/README.md does not name",
            from type in typeof(LlmProxyOptions).Assembly.GetExportedTypes()
            where type.Name.EndsWith("Options", StringComparison.Ordinal) && type != typeof(HostIdentityOptions)
            from property in type.GetProperties()
            where property.PropertyType != typeof(HostIdentityOptions)
            where !Regex.IsMatch(_reference, $@"`([\w*]+\.)*{property.Name}`|""{property.Name}""")
            select $"{type.Name}.{property.Name}");

    [Test]
    public void Every_kind_of_upstream_is_in_the_reference() =>
        Expect.None(
            "kinds that LlmProxy.Host/README.md does not name",
            Enum.GetNames<UpstreamKind>().Where(kind => !_reference.Contains($"`{kind}`", StringComparison.OrdinalIgnoreCase)));

    [Test]
    public void The_table_of_errors_is_the_one_in_the_code()
    {
        var code = ErrorMade().Matches(Read("LlmProxy.Core/Protocol/ProxyErrors.cs"))
            .Select(match => $"{match.Groups[1].Value} {match.Groups[2].Value}").ToHashSet();
        var documented = ErrorRow().Matches(_reference)
            .SelectMany(row => Code().Matches(row.Groups[2].Value), (row, word) => $"{row.Groups[1].Value} {word.Groups[1].Value}").ToHashSet();
        // They stand for what an upstream said: their status is that one's own.
        documented.RemoveWhere(row => row.EndsWith(" upstream_error", StringComparison.Ordinal) || row.EndsWith(" context_length_exceeded", StringComparison.Ordinal));
        // A client that has gone is told nothing: that status is in records only.
        code.RemoveWhere(row => row.StartsWith("499 ", StringComparison.Ordinal));
        Assert.That(code, Is.Not.Empty);
        Assert.That(documented, Is.EquivalentTo(code));
    }

    [Test]
    public void Every_package_has_its_reason_in_CONTRIBUTING()
    {
        var reasons = Read("CONTRIBUTING.md");
        Expect.None(
            "packages without a reason in CONTRIBUTING.md",
            from file in SourceTree.Projects.Select(name => $"{name}/{name}.csproj").Append("Directory.Build.props")
            from package in XDocument.Parse(Read(file)).Descendants("PackageReference")
            let name = package.Attribute("Include")!.Value
            where !reasons.Contains($"`{name}`", StringComparison.Ordinal)
            select name);
    }

    [Test]
    public void Files_that_the_documentation_points_to_are_there() =>
        Expect.None(
            "links to files that are not there",
            from file in new[] { "README.md", "CONTRIBUTING.md", "LlmProxy.Core/README.md", "LlmProxy.Host/README.md", "LlmProxy.Benchmarks/README.md" }
            from match in PathInText().Matches(Read(file))
            let path = match.Groups[1].Success ? match.Groups[1].Value : match.Groups[2].Value
            let folders = new[] { "", "LlmProxy.Core", Path.GetDirectoryName(file)! }
            where !folders.Any(folder => Path.Exists(Path.Combine(SourceTree.Root, folder, path)))
            select $"{file}: {path}");

    private static string Read(string path) => File.ReadAllText(Path.Combine(SourceTree.Root, path));

    [GeneratedRegex(@"(?:new|Upstream|BadRequest)\((\d{3}), ""(\w+)""")]
    private static partial Regex ErrorMade();

    [GeneratedRegex(@"^\| (\d{3}) \| `\w+` \| (.*) \|$", RegexOptions.Multiline)]
    private static partial Regex ErrorRow();

    [GeneratedRegex(@"`(\w+)`")]
    private static partial Regex Code();

    /// <summary>A link, or the path of a file in backticks, from the root or from Core.</summary>
    [GeneratedRegex(@"\]\(([\w./-]+)\)|`([\w.]+/[\w./]+\.(?:cs|txt|props|md))`")]
    private static partial Regex PathInText();
}
