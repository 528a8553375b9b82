using LlmProxy.Core;
using NUnit.Framework;

namespace LlmProxy.Tests.Architecture;

/// <summary>Nothing becomes public, changes or goes without somebody having said so.</summary>
[TestFixture]
internal sealed class PublicApiTests
{
    private const string Switch = "LLMPROXY_APPROVE_API";

    [Test]
    public void The_public_surface_of_Core_is_the_approved_one()
    {
        var approved = Path.Combine(SourceTree.Root, "LlmProxy.Tests", "Architecture", "PublicApi.approved.txt");
        var actual = PublicApi.Of(typeof(LlmProxyTelemetry).Assembly);
        if (Environment.GetEnvironmentVariable(Switch) == "1")
        {
            File.WriteAllText(approved, actual);
        }

        var expected = File.Exists(approved) ? File.ReadAllText(approved).ReplaceLineEndings("\n") : "";
        Expect.None(
            $"differences between Core's public surface and {Path.GetFileName(approved)}. If they are meant, run\n"
            + $"  {Switch}=1 dotnet test --filter FullyQualifiedName~{nameof(PublicApiTests)}\nand commit the file. The differences",
            Differences(expected, actual));
    }

    /// <summary>Lines that only one of them has, each under its type.</summary>
    private static IEnumerable<string> Differences(string expected, string actual)
    {
        var before = Lines(expected).ToArray();
        var after = Lines(actual).ToArray();
        return before.Except(after).Select(line => "- " + line).Concat(after.Except(before).Select(line => "+ " + line));
    }

    private static IEnumerable<string> Lines(string text) =>
        from block in text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
        let lines = block.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        from line in lines.Skip(1).Prepend("")
        select $"{lines[0]}{(line.Length > 0 ? " › " + line.Trim() : "")}";
}
