using System.Globalization;
using System.Text;
using LlmProxy.Benchmarks.StreamLatency.Targets;

namespace LlmProxy.Benchmarks.StreamLatency.Reports;

/// <summary>The table, for a terminal.</summary>
internal static class TextReport
{
    private const int LabelWidth = 42;

    public static string Write(Report report)
    {
        var text = new StringBuilder();
        text.Append(' ', LabelWidth);
        foreach (var target in report.Targets)
        {
            text.Append(CultureInfo.InvariantCulture, $"{target.Label,22}");
        }

        text.AppendLine();
        foreach (var figure in Figure.All.Where(f => report.Cells.Any(c => c.Figure == f.Name)))
        {
            text.Append(CultureInfo.InvariantCulture, $"{$"{figure.Label} ({figure.Unit})",-LabelWidth}");
            foreach (var target in report.Targets)
            {
                text.Append(CultureInfo.InvariantCulture, $"{CellText(report.Find(figure, target)),22}");
            }

            text.AppendLine();
        }

        text.Append("errors".PadRight(LabelWidth));
        foreach (var target in report.Targets)
        {
            text.Append(CultureInfo.InvariantCulture, $"{target.Errors,22}");
        }

        text.AppendLine().AppendLine().AppendLine(Notes(report));
        return text.ToString();
    }

    /// <summary>A value with its ratio.</summary>
    public static string CellText(Cell? cell) => cell is null ? "-"
        : cell.Ratio is { } ratio ? string.Create(CultureInfo.InvariantCulture, $"{Number(cell.Value)} ({ratio:0.00}x)")
        : Number(cell.Value);

    public static string Number(double value) => value.ToString(Math.Abs(value) < 10 ? "0.00" : Math.Abs(value) < 100 ? "0.0" : "0", CultureInfo.InvariantCulture);

    public static string Rounds(Report report) => report.Rounds == 1 ? "One round" : string.Create(CultureInfo.InvariantCulture, $"Medians of {report.Rounds} rounds");

    private static string Turns(Report report)
    {
        var turns = report.Measurements.Where(static m => m.Scenario == Scenario.Paced.Name).Select(static m => m.Round).DefaultIfEmpty().Max() / report.Rounds;
        return turns > 1 ? string.Create(CultureInfo.InvariantCulture, $" Paced events have {turns} turns in each round, and count turn by turn.") : "";
    }

    /// <summary>What one has to know to read it.</summary>
    public static string Notes(Report report)
    {
        var ratio = report.BaselineLabel is { } label ? $"; in brackets the ratio to {label} in the same round, the median too" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{Rounds(report)}{ratio}.{Turns(report)} Loads of {report.Seconds:0.#} s; {report.IdleStreams} idle streams.")
            + Direct(report)
            + string.Concat(report.LeftOut.Select(static one => $" Left out: {one.Key}, {one.Value}."));
    }

    /// <summary>What added times are added to, of the first round.</summary>
    private static string Direct(Report report)
    {
        var direct = report.Measurements.Where(static m => m.Target == DirectTarget.Key).ToLookup(static m => m.Scenario, static m => m.Load!);
        return (direct[Scenario.First.Name].FirstOrDefault(), direct[Scenario.Sequence.Name].FirstOrDefault()) is ({ } first, { } whole)
            ? string.Create(CultureInfo.InvariantCulture, $" Straight to the upstream a first event takes {Number(first.First.P50)} us and a small JSON request {Number(whole.Whole.P50)} us.")
            : "";
    }
}
