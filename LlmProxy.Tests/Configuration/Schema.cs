using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

/// <summary>Judges configurations by the schema alone, as an editor does.</summary>
internal static class Schema
{
    private static readonly JsonSchema _schema = JsonSchema.FromText(LlmProxyConfiguration.Schema);

    public static bool Fits(string json) => Evaluate(json).IsValid;

    public static void AssertFits(string json, string what)
    {
        EvaluationResults results = Evaluate(json);
        Assert.That(
            results.IsValid,
            Is.True,
            () => what + ": " + string.Join('\n', results.Details.Where(d => d.HasErrors).Select(d => $"{d.InstanceLocation}: {string.Join(", ", d.Errors!.Values)}")));
    }

    private static EvaluationResults Evaluate(string json) => _schema.Evaluate(
        JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip }),
        new EvaluationOptions { OutputFormat = OutputFormat.List });
}
