using System.Text.Json;

namespace LlmProxy.Benchmarks.StreamLatency.Reports;

/// <summary>The results as files: a table, a chart, and everything as JSON.</summary>
internal static class ResultFiles
{
    private static readonly JsonSerializerOptions _json = new() { WriteIndented = true, NewLine = "\n", DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull };

    public static void Write(Report report, string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "stream.md"), MarkdownReport.Write(report));
        File.WriteAllText(Path.Combine(folder, "stream.json"), JsonSerializer.Serialize(report, _json) + "\n");
        File.WriteAllText(Path.Combine(folder, "stream.svg"), SvgChart.Write(report));
    }
}
