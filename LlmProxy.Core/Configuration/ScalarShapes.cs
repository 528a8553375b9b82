using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>Any text.</summary>
internal sealed class TextShape : TextualShape<string>
{
    public static TextShape Instance { get; } = new();

    public override string Expected => "text in quotes";

    protected override string? Understand(string text, string shown, out string value)
    {
        value = text;
        return null;
    }
}

/// <summary>A text that no message shows, and that should not stand in a file.</summary>
/// <param name="nameAt">Names the secret at a path, for the environment variable that is suggested.</param>
internal sealed class SecretShape(Func<string, string> nameAt) : Shape<string>
{
    public override string Expected => "text in quotes";

    public override bool TryRead(ConfigurationNode node, Reading reading, [MaybeNullWhen(false)] out string value)
    {
        if (node.Kind != JsonValueKind.String)
        {
            return Mismatch(node, reading, out value);
        }

        if (!reading.TryFill(node, out value, out var filled))
        {
            return false;
        }

        // A section is not warned of: what it holds may have come from the environment or a secret store.
        if (node.IsTyped && !filled && value.Length > 0)
        {
            reading.Warn(node, $"a secret stands in the file. Use \"${{{Variable(nameAt(node.Path))}}}\".");
        }

        return true;
    }

    private static string Variable(string name)
    {
        var letters = string.Concat(name.ToUpperInvariant().Select(static c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return (letters.Length == 0 || char.IsAsciiDigit(letters[0]) ? "_" : "") + letters;
    }
}

/// <summary>True or false.</summary>
internal sealed class SwitchShape : Shape<bool>
{
    public static SwitchShape Instance { get; } = new();

    public override string Expected => "true or false";

    public override bool TryRead(ConfigurationNode node, Reading reading, out bool value)
    {
        value = node.Kind == JsonValueKind.True;
        if (value || node.Kind == JsonValueKind.False)
        {
            return true;
        }

        if (node.Kind != JsonValueKind.String)
        {
            return Mismatch(node, reading, out value);
        }

        if (node.IsTyped)
        {
            reading.Refuse(node, bool.TryParse(node.Text, out value)
                ? $"{Problems.Quote(node.Text)} is text here: write {(value ? "true" : "false")}, without quotes."
                : $"needs {Expected} without quotes, not {Problems.Quote(node.Text)}.");
            return false;
        }

        if (!reading.TryFill(node, out var text, out _))
        {
            return false;
        }

        if (!bool.TryParse(text, out value))
        {
            reading.Refuse(node, $"needs {Expected}, not {Problems.Quote(node.Text)}.");
            return false;
        }

        return true;
    }
}

/// <summary>A whole number.</summary>
internal sealed class WholeNumberShape : IntegerShape<int>
{
    public static WholeNumberShape Instance { get; } = new();
}

/// <summary>A whole number that may pass two thousand million.</summary>
internal sealed class LargeNumberShape : IntegerShape<long>
{
    public static LargeNumberShape Instance { get; } = new();
}

/// <summary>A whole number of some size.</summary>
internal abstract class IntegerShape<T> : NumberShape<T>
    where T : struct, IBinaryInteger<T>
{
    public override string Expected => "a whole number";

    protected override NumberStyles Styles => NumberStyles.AllowLeadingSign;
}

/// <summary>One of a few words.</summary>
/// <param name="choices">The words and what they stand for.</param>
/// <param name="notYet">Words that a later version knows.</param>
internal sealed class ChoiceShape<T>((string Word, T Value)[] choices, params string[] notYet) : TextualShape<T>
{
    private readonly string[] _words = [.. choices.Select(static c => c.Word)];

    public IReadOnlyList<(string Word, T Value)> Choices => choices;

    public override string Expected => string.Join(" or ", _words.Select(static w => Problems.Quote(w)));

    protected override string? Understand(string text, string shown, out T value)
    {
        var index = Array.IndexOf(_words, text);
        value = index < 0 ? default! : choices[index].Value;
        if (index >= 0)
        {
            return null;
        }

        return Array.IndexOf(notYet, text) >= 0
            ? $"{Problems.Quote(shown)} is not in this version. Known: {string.Join(", ", _words)}."
            : $"unknown value {Problems.Quote(shown)}. {NearestName.Advise(text, _words)}";
    }
}
