using System.Text;
using LlmProxy.Tests.Support;

namespace LlmProxy.Tests.Relaying;

/// <summary>A stream as an upstream sends it, and as the client must get it with the model's name put back.</summary>
public sealed record Recording(string Name, string Sent, string Expected)
{
    private const string Own = "\"model\":\"" + Chat.UpstreamModel + "\"";
    private const string Asked = "\"model\":\"gpt-4o-mini\"";

    private static readonly string[] s_data =
        [Chat.Role(), Chat.Delta("é🦓\u2028 \\ \"model\":\"upstream-mini\"\n\t"), Escaped(Chat.Delta("gr\u00fc\u00df 🦓")), Chat.Delta("x"), Chat.Delta("y"), Chat.Finish(), Chat.Usage()];

    /// <summary>Every shape of an event stream, short enough to be cut everywhere.</summary>
    public static IReadOnlyList<Recording> Shapes { get; } =
    [
        Shape("LF", "data: {0}\n\n"),
        Shape("CRLF", "data: {0}\r\n\r\n"),
        Shape("CR", "data: {0}\r\r"),
        Shape("mixed line ends", "event: message\r\ndata: {0}\r\n\n"),
        Shape("no space", "data:{0}\n\n"),
        Shape("comments", ": ping\n\n:\ndata: {0}\n: after\n\n"),
        Shape("unknown fields", "x-unknown: 1\ndatax: no\ndata: {0}\nDATA: no\n\n"),
        Shape("fields without a colon", "foo\ndata: {0}\nbar\n\n"),
        Shape("names", "event: message\ndata: {0}\n\n"),
        Shape("NUL and separators", ": a\0b\u2028c\u0085d\ndata: {0}\n\n"),
        Shape("id and retry", "id: 7\nretry: 100\ndata: {0}\n\n", "data: {0}\n\n"),
        Shape("empty data", "data\ndata:\ndata: {0}\n\n", "data: {0}\n\n"),
        Shape("events of empty data", "data:\n\ndata: {0}\n\n", "data: {0}\n\n"),
        Shape("CRLF, id and retry", "id: 7\r\ndata: {0}\r\nretry: 1\r\n\r\n", "data: {0}\r\n\r\n"),
        Marked(Shape("byte order mark", "data: {0}\n\n")),
        Marked(Shape("byte order mark and CRLF", "data: {0}\r\n\r\n")),
    ];

    /// <summary>An event of so many bytes between small ones, with escapes and text of several bytes, its model behind all that.</summary>
    public static Recording WithEventOf(int size)
    {
        const string Odd = "\\\"é🦓\\u00e9\\\\";
        string text = Odd + new string('x', size / 2) + Odd + new string('y', (size / 2) - 300) + Odd;
        string large = "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + text + "\"},\"finish_reason\":null}]," + Own + "}";
        return Of($"{size} bytes", [Chat.Delta("a"), large, Chat.Delta("b"), Chat.Finish()], "data: {0}\n\n", "data: {0}\n\n");
    }

    public byte[] Bytes => Encoding.UTF8.GetBytes(Sent);

    /// <summary>Every place near a line's start or end, an escape, or a model's name.</summary>
    public IEnumerable<int> NearPlaces(int distance)
    {
        byte[] bytes = Bytes;
        byte[][] marks = ["data:"u8.ToArray(), "\n"u8.ToArray(), "\\"u8.ToArray(), "\"model\""u8.ToArray(), "🦓"u8.ToArray()];
        var places = new SortedSet<int>();
        foreach (byte[] mark in marks)
        {
            for (int at = bytes.AsSpan().IndexOf(mark); at >= 0;)
            {
                places.UnionWith(Enumerable.Range(at - distance, 2 * distance));
                int next = bytes.AsSpan(at + 1).IndexOf(mark);
                at = next < 0 ? -1 : at + 1 + next;
            }
        }

        return places.Where(at => at > 0 && at < bytes.Length);
    }

    public override string ToString() => Name;

    private static Recording Shape(string name, string shape, string? expected = null) => Of(name, s_data, shape, expected ?? shape);

    private static Recording Of(string name, string[] data, string shape, string expected) => new(
        name,
        string.Concat(data.Append("[DONE]").Select(one => shape.Replace("{0}", one, StringComparison.Ordinal))),
        string.Concat(data.Select(one => expected.Replace("{0}", PutBack(one), StringComparison.Ordinal)))
            + (shape == expected ? expected.Replace("{0}", "[DONE]", StringComparison.Ordinal) : Sse.Done));

    private static Recording Marked(Recording stream) => stream with { Sent = "\uFEFF" + stream.Sent };

    private static string PutBack(string data)
    {
        // The first or the last of them is the real one; others stand in texts, escaped.
        int at = data.IndexOf(Own, StringComparison.Ordinal);
        return at < 0 ? data : data[..at] + Asked + data[(at + Own.Length)..];
    }

    /// <summary>The same JSON with everything that is not ASCII escaped.</summary>
    private static string Escaped(string json) => string.Concat(json.Select(c => c > '~' ? $"\\u{(int)c:x4}" : c.ToString()));
}
