using System.Globalization;
using System.Text;

namespace LlmProxy.Benchmarks.StreamLatency.Reports;

/// <summary>The table as Markdown, with the chart and the machine.</summary>
internal static class MarkdownReport
{
    public static string Write(Report report)
    {
        var text = new StringBuilder();
        text.Append("# Stream latency\n\n").Append(Machine(report)).Append("\n\n").Append(TextReport.Notes(report)).Append("\n\n");
        text.Append("![the same as a chart](stream.svg)\n\n| |");
        text.AppendJoin("", report.Targets.Select(static t => $" {t.Label} |")).Append("\n|---|");
        text.AppendJoin("", report.Targets.Select(static _ => "---:|")).Append('\n');
        foreach (var figure in Figure.All.Where(f => report.Cells.Any(c => c.Figure == f.Name)))
        {
            text.Append(CultureInfo.InvariantCulture, $"| {figure.Label}, {figure.Unit} |");
            text.AppendJoin("", report.Targets.Select(t => $" {TextReport.CellText(report.Find(figure, t))} |")).Append('\n');
        }

        text.Append("| answers that were not right |");
        text.AppendJoin("", report.Targets.Select(static t => string.Create(CultureInfo.InvariantCulture, $" {t.Errors} |"))).Append('\n');
        return text.ToString();
    }

    private static string Machine(Report report)
    {
        var versions = string.Join(", ", report.Targets.Where(static t => t.Version is not null).Select(static t => $"{t.Label} {t.Version}"));
        return $"{report.Machine}.\n{versions}.";
    }
}
