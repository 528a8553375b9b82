using System.Text.Json.Nodes;
using Json.Schema;
using LlmProxy.Tests.Architecture;
using NUnit.Framework;

namespace LlmProxy.Tests.Admin;

/// <summary>Holds answers of the admin API to what its description says of them.</summary>
internal static class Description
{
    private static readonly JsonObject _document =
        JsonNode.Parse(File.ReadAllText(Path.Combine(SourceTree.Root, "LlmProxy.Core", "llmproxy.admin.openapi.json")))!.AsObject();

    public static void AssertFits(string method, string path, int status, JsonNode? body)
    {
        var template = _document["paths"]!.AsObject().Select(static p => p.Key).Where(known => Matches(known, path)).OrderBy(static known => known.Count(static c => c == '{')).First();
        var operation = _document["paths"]![template]![method.ToLowerInvariant()]!;
        var answer = operation["responses"]![status.ToString(System.Globalization.CultureInfo.InvariantCulture)] ?? operation["responses"]!["default"]!;
        var schema = answer["content"]!.AsObject().First().Value!["schema"]!.DeepClone().AsObject();
        schema["$defs"] = _document["components"]!["schemas"]!.DeepClone();
        var judge = JsonSchema.FromText(schema.ToJsonString().Replace("#/components/schemas/", "#/$defs/", StringComparison.Ordinal));
        var results = judge.Evaluate(body, new EvaluationOptions { OutputFormat = OutputFormat.List });
        Assert.That(
            results.IsValid,
            Is.True,
            () => $"{method} {path} {status}: {string.Join('\n', results.Details.Where(static d => d.HasErrors).Select(static d => $"{d.InstanceLocation}: {string.Join(", ", d.Errors!.Values)}"))}\n{body}");
    }

    private static bool Matches(string template, string path)
    {
        string[] known = template.Split('/'), asked = path.Split('/');
        return known.Length == asked.Length && known.Zip(asked).All(static pair => pair.First.StartsWith('{') || pair.First == pair.Second);
    }
}
