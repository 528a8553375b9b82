using System.Text;

namespace LlmProxy.Tests.Support;

/// <summary>The start line and header fields of a message, in the order and spelling in which they came.</summary>
public sealed class WireHeaders
{
    private readonly List<KeyValuePair<string, string>> _fields = [];

    private WireHeaders(string startLine)
    {
        StartLine = startLine;
    }

    public string StartLine { get; }

    public IReadOnlyList<KeyValuePair<string, string>> Fields => _fields;

    /// <summary>The field's values joined by commas; null if there is none.</summary>
    public string? this[string name]
    {
        get
        {
            string[] values = All(name);
            return values.Length == 0 ? null : string.Join(", ", values);
        }
    }

    public string[] All(string name) =>
        [.. _fields.Where(f => f.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(f => f.Value)];

    /// <summary>The names in lower case, sorted, each as often as it came.</summary>
    public string[] Names() => [.. _fields.Select(f => f.Key.ToLowerInvariant()).Order(StringComparer.Ordinal)];

    public static WireHeaders Parse(ReadOnlySpan<byte> head)
    {
        string[] lines = Encoding.UTF8.GetString(head).Split("\r\n");
        var headers = new WireHeaders(lines[0]);
        foreach (string line in lines.Skip(1).Where(l => l.Length > 0))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0)
            {
                throw new InvalidDataException($"A header line without a colon: {line}");
            }

            headers._fields.Add(new(line[..colon], line[(colon + 1)..].Trim()));
        }

        return headers;
    }
}
