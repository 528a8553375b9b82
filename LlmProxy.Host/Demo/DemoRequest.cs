using System.Text;
using System.Text.Json;

namespace LlmProxy.Host.Demo;

/// <summary>What the fake model wants to know of a request. Read leniently: it is there to be tried, not to teach the API.</summary>
internal sealed class DemoRequest
{
    private const int CharactersPerToken = 4;
    private const int MostChoices = 8;

    private DemoRequest(JsonElement root, bool legacy)
    {
        Prompt = legacy ? Text(Member(root, "prompt")) : LastUserMessage(root);
        var characters = legacy ? Prompt.Length : Member(root, "messages").GetRawText().Length;
        InputTokens = Tokens(characters);
        IsStream = Member(root, "stream").ValueKind == JsonValueKind.True;
        IncludesUsage = Member(Member(root, "stream_options"), "include_usage").ValueKind == JsonValueKind.True;
        Choices = Math.Clamp(Number(root, "n") ?? 1, 1, MostChoices);
        MostTokens = Number(root, "max_completion_tokens") ?? Number(root, "max_tokens") ?? int.MaxValue;
    }

    public string Prompt { get; }

    public int InputTokens { get; }

    public bool IsStream { get; }

    public bool IncludesUsage { get; }

    public int Choices { get; }

    public int MostTokens { get; }

    /// <summary>Reads a body; false, with what is wrong, if there is nothing in it to answer.</summary>
    public static bool TryRead(JsonElement root, bool legacy, out DemoRequest? request, out string wrong)
    {
        request = null;
        var (field, kind) = legacy ? ("prompt", Member(root, "prompt").ValueKind) : ("messages", Member(root, "messages").ValueKind);
        var usable = kind == JsonValueKind.Array || (legacy && kind == JsonValueKind.String);
        wrong = usable ? "" : field;
        if (usable)
        {
            request = new DemoRequest(root, legacy);
        }

        return usable;
    }

    /// <summary>A rough count, as the demo's usage figures are.</summary>
    public static int Tokens(int characters) => (characters + CharactersPerToken - 1) / CharactersPerToken;

    public static JsonElement Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : default;

    public static int? Number(JsonElement element, string name)
    {
        var value = Member(element, name);
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number > 0 ? number : null;
    }

    /// <summary>A string, or the texts in a list of strings or content parts.</summary>
    private static string Text(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.String)
        {
            return element.GetString()!;
        }

        if (element.ValueKind != JsonValueKind.Array)
        {
            return "";
        }

        var text = new StringBuilder();
        foreach (var part in element.EnumerateArray())
        {
            var piece = part.ValueKind == JsonValueKind.String ? part : Member(part, "text");
            if (piece.ValueKind == JsonValueKind.String)
            {
                text.Append(text.Length > 0 ? " " : "").Append(piece.GetString());
            }
        }

        return text.ToString();
    }

    private static string LastUserMessage(JsonElement root)
    {
        var last = "";
        foreach (var message in Member(root, "messages").EnumerateArray())
        {
            var role = Member(message, "role");
            if (role.ValueKind == JsonValueKind.String && role.ValueEquals("user"u8))
            {
                last = Text(Member(message, "content"));
            }
        }

        return last;
    }
}
