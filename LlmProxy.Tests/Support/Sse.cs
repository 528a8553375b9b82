namespace LlmProxy.Tests.Support;

/// <summary>Server-sent events as text.</summary>
public static class Sse
{
    public const string Done = "data: [DONE]\n\n";

    public static string Event(string data) => $"data: {data}\n\n";

    /// <summary>A whole stream: one event each, then <c>[DONE]</c>.</summary>
    public static string Whole(params string[] data) => string.Concat(data.Select(Event)) + Done;

    /// <summary>The data of every event in a stream with one <c>data</c> line each; comments are left out.</summary>
    public static string[] Data(string stream) =>
    [
        .. stream.Split('\n')
            .Where(line => line.StartsWith("data:", StringComparison.Ordinal))
            .Select(line => line[5..].Trim()),
    ];
}
