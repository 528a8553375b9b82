using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmProxy.Benchmarks.StreamLatency.Reports;

/// <summary>The results as files: a table, a chart, and everything as JSON.</summary>
internal static class ResultFiles
{
    private static readonly JsonSerializerOptions _json = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private const string JsonName = "stream.json";

    /// <summary>What was written there before.</summary>
    public static Report Read(string folder) => JsonSerializer.Deserialize<Report>(File.ReadAllText(Path.Combine(folder, JsonName)))!;

    public static void Write(Report report, string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "stream.md"), MarkdownReport.Write(report));
        File.WriteAllText(Path.Combine(folder, JsonName), Json(report));
        File.WriteAllText(Path.Combine(folder, "stream.svg"), SvgChart.Write(report));
    }

    /// <summary>One row on a line, so that two runs can be compared line by line.</summary>
    private static string Json(Report report)
    {
        var head = JsonSerializer.Serialize(new { report.Machine, report.Seconds, report.Rounds, report.IdleStreams, report.Baseline, report.LeftOut }, _json);
        return $"{head[..^1]},\n\"Targets\":[\n{Rows(report.Targets)}],\n\"Figures\":[\n{Rows(report.Cells)}],\n\"Measurements\":[\n{Rows(report.Measurements)}]}}\n";
    }

    private static string Rows<T>(IEnumerable<T> rows) => string.Join(",\n", rows.Select(static row => JsonSerializer.Serialize(row, _json)));
}
