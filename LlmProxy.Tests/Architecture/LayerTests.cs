using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using LlmProxy.Core;
using NUnit.Framework;

namespace LlmProxy.Tests.Architecture;

/// <summary>The order of Core's folders: a request passes them top to bottom, and none knows of one further down.</summary>
[TestFixture]
internal sealed partial class LayerTests
{
    private const string Root = "LlmProxy.Core";

    /// <summary>A folder may use itself and those before it. The root is not listed: it alone uses all.</summary>
    private static readonly string[] _order =
    [
        "Configuration", "Protocol", "Endpoints", "Authentication", "Requests", "Routing", "Admission", "Balancing",
        "Forwarding", "Relaying", "Accounting", "Admin",
    ];

    private static readonly Assembly _core = typeof(LlmProxyTelemetry).Assembly;

    [Test]
    public void Every_folder_of_Core_has_its_place_in_the_order() =>
        Assert.That(
            SourceTree.Sources(Root).Select(file => file.Folder.Split('/')[0]).Where(folder => folder.Length > 0).Distinct(),
            Is.SubsetOf(_order));

    [Test]
    public void No_source_names_a_folder_below_its_own() =>
        Expect.None(
            "imports against the order",
            from file in SourceTree.Sources(Root)
            where file.Folder.Length > 0
            from match in QualifiedName().Matches(file.Code)
            let used = match.Groups[1].Value
            where _order.Contains(used) && IsBelow(file.Folder.Split('/')[0], used)
            select $"{file}:{file.LineOf(match.Index)} names {Root}.{used}");

    /// <summary>What the compiler made of it: finds uses that need no import, as sibling namespaces and inferred types do.</summary>
    [Test]
    public void No_type_uses_a_type_of_a_folder_below_its_own() =>
        Expect.None(
            "uses against the order",
            from type in _core.GetTypes()
            let folder = FolderOf(type)
            where folder is not null
            from used in TypeUses.Of(type)
            let other = used.Assembly == _core ? FolderOf(used) : null
            where other is not null && IsBelow(folder, other)
            select $"{Written(type).FullName} uses {Written(used).FullName}");

    [Test]
    public void Protocol_does_no_web_requests_and_knows_no_web_server() =>
        Expect.None(
            "types of Protocol that reach for the web server",
            from type in _core.GetTypes()
            where FolderOf(type) == "Protocol"
            from used in TypeUses.Of(type)
            where used.Namespace is { } name && (name.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal)
                || name.StartsWith("System.Net.Http", StringComparison.Ordinal) || name.StartsWith("System.Net.Sockets", StringComparison.Ordinal))
            select $"{Written(type).FullName} uses {used.FullName}");

    [Test]
    public void Classes_of_Core_are_sealed() =>
        Expect.None(
            "classes that are neither sealed, static nor abstract",
            from type in _core.GetTypes()
            where type is { IsClass: true, IsSealed: false, IsAbstract: false } && !type.IsDefined(typeof(CompilerGeneratedAttribute))
            where type.Namespace?.StartsWith(Root, StringComparison.Ordinal) == true && Written(type) == type
            select type.FullName!);

    [Test]
    public void Only_the_tests_and_the_benchmarks_see_inside_Core() =>
        Assert.That(
            _core.GetCustomAttributes<InternalsVisibleToAttribute>().Select(friend => friend.AssemblyName),
            Is.SubsetOf(new[] { "LlmProxy.Tests", "LlmProxy.Benchmarks" }),
            "What the Host can do, an app can: it uses Core's public types.");

    private static bool IsBelow(string folder, string used) => Array.IndexOf(_order, used) > Array.IndexOf(_order, folder);

    /// <summary>The first folder of a type under Core; null for Core's root and for what the compiler adds elsewhere.</summary>
    private static string? FolderOf(Type type) =>
        type.Namespace is { } name && name.StartsWith(Root + ".", StringComparison.Ordinal) ? name[(Root.Length + 1)..].Split('.')[0] : null;

    /// <summary>The type as it stands in a source: not the closure or state machine made from it.</summary>
    private static Type Written(Type type)
    {
        while (type.DeclaringType is { } outer && type.Name.Contains('<', StringComparison.Ordinal))
        {
            type = outer;
        }

        return type;
    }

    [GeneratedRegex(@"\bLlmProxy\s*\.\s*Core\s*\.\s*(\w+)")]
    private static partial Regex QualifiedName();
}
