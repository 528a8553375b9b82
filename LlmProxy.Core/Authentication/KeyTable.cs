using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Authentication;

/// <summary>Reads keys out of a table.</summary>
internal static class KeyTable
{
    private const int MostProblems = 100;
    private static readonly string[] _columns = ["name", "hash", "group", "expires", "settings"];

    /// <summary>The keys, each with its line; what is wrong goes to the problems.</summary>
    public static List<(int Line, string Name, string Hash, string Settings)> Read(string csv, List<ConfigurationProblem> problems)
    {
        var rows = Rows(csv.TrimStart('\uFEFF'), problems);
        var keys = new List<(int, string, string, string)>();
        if (rows.Count == 0)
        {
            problems.Add(new ConfigurationProblem(true, 1, "", "the table is empty: its first line names the columns, at least name and hash."));
            return keys;
        }

        if (ColumnsOf(rows[0], problems) is not { } columns)
        {
            return keys;
        }

        foreach (var (line, cells) in rows.Skip(1))
        {
            if (cells.Count != columns.Length)
            {
                problems.Add(new ConfigurationProblem(true, line, "", $"has {cells.Count} values, not {columns.Length} as the first line."));
                if (problems.Count >= MostProblems)
                {
                    break;
                }

                continue;
            }

            var settings = ValueOf("settings");
            keys.Add((line, ValueOf("name"), ValueOf("hash"), Join(settings.Length == 0 ? "{}" : settings, ValueOf("group"), ValueOf("expires"))));

            string ValueOf(string column) => Array.IndexOf(columns, column) is var at && at >= 0 ? cells[at].Trim() : "";
        }

        return keys;
    }

    private static string[]? ColumnsOf((int Line, List<string> Cells) head, List<ConfigurationProblem> problems)
    {
        string[] columns = [.. head.Cells.Select(static cell => cell.Trim().ToLowerInvariant() switch { "key_alias" => "name", "token" => "hash", var name => name })];
        foreach (var unknown in columns.Where(static name => !_columns.Contains(name)))
        {
            problems.Add(new ConfigurationProblem(true, head.Line, "", $"unknown column {Problems.Quote(unknown)}. {NearestName.Advise(unknown, _columns)}"));
        }

        foreach (var name in _columns)
        {
            var count = columns.Count(column => column == name);
            if (count > 1 || (count == 0 && (name is "name" or "hash")))
            {
                problems.Add(new ConfigurationProblem(true, head.Line, "", $"the column {name} {(count > 1 ? "stands here twice" : "is missing")}."));
            }
        }

        return problems.Exists(problem => problem.Line == head.Line) ? null : columns;
    }

    // What is wrong with the settings is said by their own reader: then the two values stand in an object of their own.
    private static string Join(string settings, string group, string expires)
    {
        if (group.Length == 0 && expires.Length == 0)
        {
            return settings;
        }

        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            if (group.Length > 0)
            {
                json.WriteString("Group"u8, group);
            }

            if (expires.Length > 0)
            {
                json.WriteString("Expires"u8, expires);
            }

            json.WriteEndObject();
        }

        var own = Encoding.UTF8.GetString(output.WrittenSpan);
        var rest = settings.AsSpan().Trim();
        return !rest.StartsWith("{") ? settings : rest[1..].Trim() is "}" ? own : string.Concat(own.AsSpan(0, own.Length - 1), ",", rest[1..]);
    }

    private static List<(int Line, List<string> Cells)> Rows(string csv, List<ConfigurationProblem> problems)
    {
        var text = new CommaText(csv);
        var rows = new List<(int, List<string>)>();
        while (text.Read() is { } row)
        {
            rows.Add(row);
        }

        if (text.OpenQuote > 0)
        {
            problems.Add(new ConfigurationProblem(true, text.OpenQuote, "", "a quote is missing at the end of a value."));
        }

        return rows;
    }
}
