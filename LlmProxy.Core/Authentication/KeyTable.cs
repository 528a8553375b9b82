using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Authentication;

/// <summary>Reads keys out of text with commas (RFC 4180): quotes around a value that holds a comma, a quote (then doubled) or a line's end.</summary>
internal static class KeyTable
{
    private const int MostProblems = 100;
    private static readonly string[] _columns = ["name", "hash", "group", "expires", "settings"];

    /// <summary>The keys, each with its line; what is wrong goes to the problems.</summary>
    public static List<(int Line, string Name, string Hash, string Settings)> Read(string csv, List<ConfigurationProblem> problems)
    {
        var rows = Rows(csv.TrimStart('\uFEFF'), problems).ToList();
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

        return problems.Count == 0 ? columns : null;
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

    private static IEnumerable<(int Line, List<string> Cells)> Rows(string csv, List<ConfigurationProblem> problems)
    {
        var (line, start, quoted) = (1, 1, 1);
        var cells = new List<string>();
        var cell = new StringBuilder();
        var isQuoted = false;
        for (var i = 0; i <= csv.Length; i++)
        {
            var c = i < csv.Length ? csv[i] : '\n';
            if (isQuoted && i < csv.Length)
            {
                if (c == '"' && i + 1 < csv.Length && csv[i + 1] == '"')
                {
                    cell.Append('"');
                    i++;
                }
                else if (c == '"')
                {
                    isQuoted = false;
                }
                else
                {
                    cell.Append(c);
                    line += c == '\n' ? 1 : 0;
                }
            }
            else if (c == '"' && cell.ToString().Trim().Length == 0)
            {
                cell.Clear();
                (isQuoted, quoted) = (true, line);
            }
            else if (c == ',')
            {
                Take();
            }
            else if (c == '\n')
            {
                Take();
                if (cells.Count > 1 || cells[0].Trim().Length > 0)
                {
                    yield return (start, cells);
                }

                (cells, start) = ([], ++line);
            }
            else if (c != '\r')
            {
                cell.Append(c);
            }
        }

        if (isQuoted)
        {
            problems.Add(new ConfigurationProblem(true, quoted, "", "a quote is missing at the end of a value."));
        }

        void Take()
        {
            cells.Add(cell.ToString());
            cell.Clear();
        }
    }
}
