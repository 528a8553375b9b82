using System.Text.RegularExpressions;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Architecture;

/// <summary>The order of methods in the executable is a list of names, and the compiler says nothing of one that it does not know.</summary>
[TestFixture]
internal sealed partial class MethodOrderTests
{
    private const string Core = "LlmProxy_Core_";

    [Test]
    public void The_order_of_methods_is_that_of_this_code()
    {
        var known = typeof(LlmProxyOptions).Assembly.GetTypes().Select(NameOf).ToHashSet();
        var methods = File.ReadLines(Path.Combine(SourceTree.Root, "LlmProxy.Host", "methods.order"))
            .Where(static line => line.StartsWith(Core, StringComparison.Ordinal) && !line.Contains('<', StringComparison.Ordinal))
            .ToArray();
        var foreign = methods.Where(method => !known.Any(type => method.StartsWith(type + "__", StringComparison.Ordinal))).ToArray();
        Assert.That(methods, Has.Length.GreaterThan(500), "methods of LlmProxy.Core that run at a start and in requests");
        Assert.That(
            foreign.Length, Is.LessThan(methods.Length / 10),
            $"Many of these types are no more. `dotnet run -c Release --project LlmProxy.Benchmarks -- order` writes the list anew:\n{string.Join('\n', foreign.Take(20))}");
    }

    /// <summary>As the compiler writes it in symbols.</summary>
    private static string NameOf(Type type) => Core + NotOfName().Replace(type.FullName!, "_");

    [GeneratedRegex("[^A-Za-z0-9_]")]
    private static partial Regex NotOfName();
}
