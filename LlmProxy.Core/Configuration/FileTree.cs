using System.Text;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>
/// Turns a file's bytes into nodes with line numbers. A document model is not used because none keeps lines, and because
/// the usual ones let the last of two equal members win.
/// </summary>
internal ref struct FileTree
{
    private readonly ReadOnlySpan<byte> _text;
    private readonly Problems _problems;
    private Utf8JsonReader _reader;
    private int _line = 1;
    private int _counted;

    private FileTree(ReadOnlySpan<byte> text, Problems problems)
    {
        _text = text;
        _problems = problems;
        _reader = new Utf8JsonReader(text, new JsonReaderOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
    }

    /// <summary>The root, or null if this is not JSON; that is then among the problems.</summary>
    public static ConfigurationNode? Parse(ReadOnlySpan<byte> utf8, Problems problems)
    {
        if (utf8.StartsWith(Encoding.UTF8.Preamble))
        {
            utf8 = utf8[Encoding.UTF8.Preamble.Length..];
        }

        if (utf8.Trim(" \t\r\n"u8).IsEmpty)
        {
            problems.Unreadable("", 1, "the file is empty.");
            return null;
        }

        var tree = new FileTree(utf8, problems);
        try
        {
            tree._reader.Read();
            var root = tree.ReadValue("", tree.CountLines());
            while (tree._reader.Read())
            {
                // Nothing may follow the root; the reader says so.
            }

            return root;
        }
        catch (JsonException e)
        {
            // Its message quotes the text, which may be a secret; only the position is taken.
            problems.Unreadable("", (int)(e.LineNumber ?? 0) + 1, Explain(utf8, e));
            return null;
        }
    }

    private ConfigurationNode ReadValue(string path, int line)
    {
        _problems.Places.AddLine(path, line);
        return _reader.TokenType switch
        {
            JsonTokenType.StartObject => ReadObject(path, line),
            JsonTokenType.StartArray => ReadList(path, line),
            JsonTokenType.String => ConfigurationNode.Scalar(JsonValueKind.String, path, line, ReadText(path, line), typed: true),
            JsonTokenType.Number => ConfigurationNode.Scalar(JsonValueKind.Number, path, line, Encoding.ASCII.GetString(_reader.ValueSpan), typed: true),
            JsonTokenType.True => ConfigurationNode.Scalar(JsonValueKind.True, path, line, "true", typed: true),
            JsonTokenType.False => ConfigurationNode.Scalar(JsonValueKind.False, path, line, "false", typed: true),
            _ => ConfigurationNode.Scalar(JsonValueKind.Null, path, line, "null", typed: true),
        };
    }

    private ConfigurationNode ReadObject(string path, int line)
    {
        var members = new List<(string, ConfigurationNode)>();
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            var at = CountLines();
            var name = ReadText(path, at);
            var member = Places.Member(path, name);
            _reader.Read();
            if (seen.TryAdd(name, at))
            {
                members.Add((name, ReadValue(member, at)));
            }
            else
            {
                _problems.Unreadable(member, at, $"stands here twice, first in line {seen[name]}.");
                ReadValue(member, at);
            }
        }

        return ConfigurationNode.Object(path, line, members, typed: true);
    }

    private ConfigurationNode ReadList(string path, int line)
    {
        var items = new List<(string, ConfigurationNode)>();
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            var item = ReadValue(Places.Item(path, items.Count), CountLines());
            items.Add((Index(items.Count), item));
        }

        return ConfigurationNode.List(path, line, items, typed: true);

        static string Index(int index) => index.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    private string ReadText(string path, int line)
    {
        try
        {
            return _reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair, or bytes that are not UTF-8.
            _problems.Unreadable(path, line, "a text here is not valid Unicode.");
            return "";
        }
    }

    private int CountLines()
    {
        var start = (int)_reader.TokenStartIndex;
        _line += _text[_counted..start].Count((byte)'\n');
        _counted = start;
        return _line;
    }

    private static string Explain(ReadOnlySpan<byte> utf8, JsonException e)
    {
        var rest = utf8;
        for (var line = e.LineNumber ?? 0; line > 0 && rest.IndexOf((byte)'\n') is >= 0 and var end; line--)
        {
            rest = rest[(end + 1)..];
        }

        var column = (int)Math.Min(e.BytePositionInLine ?? 0, rest.Length);
        rest = rest[column..];
        if (utf8.Contains((byte)0))
        {
            return "the file is not UTF-8 text.";
        }

        if (rest.Trim(" \t\r\n"u8).IsEmpty)
        {
            return "the file ends too early: a quote or a closing bracket is missing.";
        }

        return rest[0] == (byte)'\''
            ? $"not JSON at column {column + 1}: texts and names stand in double quotes."
            : $"not JSON at column {column + 1}: a quote, comma, colon or bracket is missing or too many.";
    }
}
