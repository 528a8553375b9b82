using System.Text;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

/// <summary>Configurations as an operator writes them, and what comes of them.</summary>
internal static class Written
{
    /// <summary>Stands where a secret stands; may be in no message.</summary>
    public const string Canary = "cAnArY+0b5e/55ecret=do.not.tell";

    public const string Hash = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    private static readonly Dictionary<string, string> Environment = new()
    {
        ["OPENAI_API_KEY"] = Canary,
        ["KEY"] = Canary,
        ["EMPTY"] = "",
        ["BLANK"] = " ",
        ["HOST"] = "10.0.4.11",
        ["PORT"] = "8000",
        ["SECRET_NUMBER"] = "48151623",
    };

    private static readonly Dictionary<string, string> Files = new()
    {
        ["/run/secrets/key"] = Canary + "\n",
        ["/run/secrets/crlf"] = Canary + "\r\n",
        ["/run/secrets/two"] = Canary + "\n\n",
        ["/run/secrets/empty"] = "\n",
        ["/run/secrets/anthropic"] = Canary,
    };

    public static References References { get; } = new(
        name => Environment.GetValueOrDefault(name),
        path => Files.TryGetValue(path, out var text)
            ? Encoding.UTF8.GetBytes(text)
            : throw (path == "/denied" ? new UnauthorizedAccessException() : new FileNotFoundException()));

    /// <summary>Reads a file that can be used, warnings and all.</summary>
    public static LlmProxyOptions Read(string json) => Read(json, out _);

    public static LlmProxyOptions Read(string json, out IReadOnlyList<ConfigurationProblem> warnings) =>
        LlmProxyConfiguration.Parse(Encoding.UTF8.GetBytes(json), "test.json", References, out warnings);

    /// <summary>What is wrong with a file that cannot be used; the lines that people read.</summary>
    public static string[] Refused(string json)
    {
        var e = Assert.Throws<LlmProxyConfigurationException>(() => Read(json))!;
        Assert.That(e.ToString(), Does.Not.Contain(Canary).And.Not.Contain("48151623"), "A secret is told.");
        return [.. e.Problems.Where(static p => p.IsError).Select(static p => p.ToString())];
    }

    /// <summary>Warnings of a file that can be used.</summary>
    public static string[] Warned(string json)
    {
        Read(json, out var warnings);
        return [.. warnings.Select(static p => p.ToString())];
    }

    /// <summary>A file in which only one upstream is of interest; its members stand in line 2.</summary>
    public static string Upstream(string members) => $$"""
        { "Upstreams": { "a": {
          {{members}}
        } }, "Models": { "*": "a/*" } }
        """;

    /// <summary>A file in which only the models are of interest; they stand in line 2.</summary>
    public static string Models(string models) => $$"""
        { "Models": {
          {{models}}
        }, "Upstreams": { "azure-eu": { "Kind": "OpenAI" }, "openai": { "Kind": "OpenAI" } } }
        """;

    /// <summary>A file that is complete but for members at the top, which stand in line 2.</summary>
    public static string Root(string members) => $$"""
        { "Upstreams": { "a": { "Kind": "OpenAI" } }, "Models": { "gpt-5": { "Targets": ["a/gpt-5"], "Aliases": ["five"] }, "claude-*": "a/*" },
          {{members}}
        }
        """;

    /// <summary>The same text as the app's configuration holds it.</summary>
    public static IConfigurationSection Section(string json) =>
        new ConfigurationBuilder()
            .AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes($$"""{ "LlmProxy": {{json}} }""")))
            .Build()
            .GetSection("LlmProxy");

    public static LlmProxyOptions ReadSection(string json) => LlmProxyConfiguration.ReadSection(Section(json), References, out _);

    public static string[] RefusedSection(string json)
    {
        var e = Assert.Throws<LlmProxyConfigurationException>(() => ReadSection(json))!;
        Assert.That(e.ToString(), Does.Not.Contain(Canary), "A secret is told.");
        return [.. e.Problems.Where(static p => p.IsError).Select(static p => p.ToString())];
    }
}
