using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>One value of a configuration as it was written, whichever source it came from.</summary>
internal sealed class ConfigurationNode
{
    private ConfigurationNode(JsonValueKind kind, string path, int line, string text, IReadOnlyList<(string, ConfigurationNode)> children, bool typed)
    {
        Kind = kind;
        Path = path;
        Line = line;
        Text = text;
        Children = children;
        IsTyped = typed;
    }

    public JsonValueKind Kind { get; }

    /// <summary>For people, for example <c>Models › gpt-5[0]</c>; empty for the root.</summary>
    public string Path { get; }

    /// <summary>From 1; 0 where there is no file.</summary>
    public int Line { get; }

    /// <summary>A text without its quotes, or a number as written; references are not yet filled in.</summary>
    public string Text { get; }

    /// <summary>Members by name; of a list its items, whose names are their indices.</summary>
    public IReadOnlyList<(string Name, ConfigurationNode Node)> Children { get; }

    /// <summary>False if the source has lost types: every scalar is then a text, and an empty object is null.</summary>
    public bool IsTyped { get; }

    public static ConfigurationNode Scalar(JsonValueKind kind, string path, int line, string text, bool typed) =>
        new(kind, path, line, text, [], typed);

    public static ConfigurationNode Object(string path, int line, IReadOnlyList<(string, ConfigurationNode)> members, bool typed) =>
        new(JsonValueKind.Object, path, line, "", members, typed);

    public static ConfigurationNode List(string path, int line, IReadOnlyList<(string, ConfigurationNode)> items, bool typed) =>
        new(JsonValueKind.Array, path, line, "", items, typed);

    /// <summary>What stands here, for messages; never the value itself, which may be a secret in the wrong place.</summary>
    public string DescribeKind() => Kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.Number => "a number",
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        JsonValueKind.Null => "null",
        _ => "text",
    };
}
