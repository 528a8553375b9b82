using System.Globalization;

namespace LlmProxy.Host.Terminal;

/// <summary>A table for people: columns as wide as they need to be, numbers to the right.</summary>
internal sealed class TextTable(params TextColumn[] columns)
{
    private readonly List<string[]> _rows = [];

    /// <summary>Adds a row; whatever steers a terminal is shown instead.</summary>
    public void Add(params string?[] cells) => _rows.Add([.. cells.Select(static cell => Visible.Line(cell ?? ""))]);

    /// <summary>Writes a line of headings and one for each row.</summary>
    public void Write(TextWriter output)
    {
        var widths = columns.Select((column, i) => _rows.Select(row => row[i].Length).Append(column.Name.Length).Max()).ToArray();
        WriteLine(output, [.. columns.Select(static c => c.Name)], widths);
        foreach (var row in _rows)
        {
            WriteLine(output, row, widths);
        }
    }

    private void WriteLine(TextWriter output, string[] cells, int[] widths)
    {
        var line = string.Join("  ", cells.Select((cell, i) => columns[i].IsNumber ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i])));
        output.WriteLine(line.TrimEnd());
    }

    /// <summary>A number with commas between its thousands.</summary>
    public static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>Tokens in millions.</summary>
    public static string Millions(long tokens) => (tokens / 1_000_000m).ToString(tokens is > 0 and < 100_000 ? "N4" : "N1", CultureInfo.InvariantCulture);

    /// <summary>US dollars; small sums keep the digits that say anything.</summary>
    public static string Dollars(decimal value) => value.ToString(value is > 0 and < 1 ? "N6" : "N2", CultureInfo.InvariantCulture);
}

/// <param name="Name">The heading.</param>
/// <param name="IsNumber">Stands to the right.</param>
internal readonly record struct TextColumn(string Name, bool IsNumber = false);
