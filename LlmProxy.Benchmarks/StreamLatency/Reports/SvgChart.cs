using System.Globalization;
using System.Text;
using LlmProxy.Benchmarks.StreamLatency.Targets;

namespace LlmProxy.Benchmarks.StreamLatency.Reports;

/// <summary>Bars for each compared figure, as ratios to the baseline, in two columns; its colours follow the reader's scheme.</summary>
internal static class SvgChart
{
    private const int Width = 900;
    private const int Margin = 24;
    private const int Top = 92;
    private const int ColumnWidth = (Width - (3 * Margin)) / 2;
    private const int BarsLeft = 134;
    private const int BarsWidth = ColumnWidth - BarsLeft - 112;
    private const int BarHeight = 13;
    private const int BarStep = 17;

    /// <summary>Longer bars end there, with their number.</summary>
    private const double LongestRatio = 5;

    private const string Style = """
        <style>
          text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #1f2328; }
          .title { font-size: 17px; font-weight: 600; } .figure { font-weight: 600; } .quiet, .name, .value { fill: #59636e; font-size: 11px; }
          .ours { fill: #1f2328; font-weight: 600; }
          .page { fill: #ffffff; } .one { stroke: #8c959f; stroke-dasharray: 3 3; }
          .nginx { fill: #8c959f; } .haproxy { fill: #b6bdc5; } .executable { fill: #0969da; } .library { fill: #6cb0f5; } .yarp { fill: #d4a72c; }
          @media (prefers-color-scheme: dark) {
            text { fill: #e6edf3; } .quiet, .name, .value { fill: #9198a1; } .ours { fill: #e6edf3; }
            .page { fill: #0d1117; } .one { stroke: #6e7681; }
            .nginx { fill: #7d8590; } .haproxy { fill: #545d68; } .executable { fill: #4493f8; } .library { fill: #2a5a9e; } .yarp { fill: #bb8009; }
          }
        </style>

        """;

    public static string Write(Report report)
    {
        var targets = report.Targets.Where(static t => t.Name != DirectTarget.Key).ToArray();
        var figures = Figure.All.Where(f => f.IsCompared && report.Cells.Any(c => c.Figure == f.Name && c.Ratio is not null)).ToArray();
        var longest = Math.Min(LongestRatio, report.Cells.Select(static c => c.Ratio ?? 0).Append(1.5).Max());
        var rowHeight = 26 + (targets.Length * BarStep) + 16;
        var rows = (figures.Length + 1) / 2;
        var height = Top + (rows * rowHeight) + 40;

        var svg = new StringBuilder();
        Line(svg, $"""<svg xmlns="http://www.w3.org/2000/svg" width="{Width}" height="{height}" viewBox="0 0 {Width} {height}" role="img" aria-label="LLM proxies compared">""");
        svg.Append(Style);
        Line(svg, $"""<rect class="page" width="{Width}" height="{height}" rx="8"/>""");
        Line(svg, $"""<text class="title" x="{Margin}" y="36">What a proxy between a client and its model costs</text>""");
        Line(svg, $"""<text class="quiet" x="{Margin}" y="58">Each bar is a ratio to {Escaped(report.BaselineLabel ?? "nothing")} in the same run, the dashed line is 1.0; shorter is better. All on one CPU.</text>""");
        for (var i = 0; i < figures.Length; i++)
        {
            // The first half stands in the left column.
            var (column, row) = (i / rows, i % rows);
            WriteFigure(svg, report, figures[i], targets, Margin + (column * (ColumnWidth + Margin)), Top + (row * rowHeight), longest);
        }

        Line(svg, $"""<text class="quiet" x="{Margin}" y="{height - 20}">{Escaped(Source(report))}</text>""");
        return svg.Append("</svg>\n").ToString();
    }

    private static void WriteFigure(StringBuilder svg, Report report, Figure figure, Participant[] targets, int left, int top, double longest)
    {
        Line(svg, $"""<text class="figure" x="{left}" y="{top + 12}">{Escaped(figure.Label)}</text>""");
        var scale = BarsWidth / longest;
        var y = top + 24;
        var one = left + BarsLeft + scale;
        Line(svg, $"""<line class="one" x1="{one:0.#}" x2="{one:0.#}" y1="{top + 20}" y2="{y + (targets.Length * BarStep)}"/>""");
        foreach (var target in targets)
        {
            var cell = report.Find(figure, target);
            var length = Math.Max(1, Math.Min(longest, cell?.Ratio ?? 0) * scale);
            var ours = target.Name is "executable" or "library" ? " ours" : "";
            Line(svg, $"""<text class="name{ours}" x="{left + BarsLeft - 8}" y="{y + 10}" text-anchor="end">{Escaped(target.Label)}</text>""");
            Line(svg, $"""<rect class="{target.Name}" x="{left + BarsLeft}" y="{y}" width="{length:0.#}" height="{BarHeight}" rx="2"/>""");
            if (cell?.Ratio > longest)
            {
                // Cut off: the bar would be longer.
                var cut = left + BarsLeft + length - 14;
                Line(svg, $"""<path class="page" d="M{cut + 4:0.#} {y} h4 l-4 {BarHeight} h-4 z"/>""");
            }

            Line(svg, $"""<text class="value{ours}" x="{left + BarsLeft + Math.Max(length, scale) + 6:0.#}" y="{y + 10}">{Escaped(Value(cell, figure))}</text>""");
            y += BarStep;
        }
    }

    private static string Value(Cell? cell, Figure figure)
    {
        if (cell is null)
        {
            return "-";
        }

        var (value, unit) = figure.Unit != "us" ? (cell.Value, figure.Unit) : cell.Value < 10_000 ? (cell.Value, "µs") : (cell.Value / 1000, "ms");
        return string.Create(CultureInfo.InvariantCulture, $"{cell.Ratio:0.00} ({TextReport.Number(value)} {unit})");
    }

    private static string Source(Report report) => string.Create(
        CultureInfo.InvariantCulture,
        $"{report.Machine.Cpu}, {report.Machine.Cores} cores; {report.Machine.Platform}; {report.Machine.Runtime}; {report.Machine.Date}; {TextReport.Rounds(report).ToLowerInvariant()}");

    private static string Escaped(string text) => System.Net.WebUtility.HtmlEncode(text);

    private static void Line(StringBuilder svg, FormattableString line) => svg.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
