using System.Text;

namespace LlmProxy.Core.Protocol;

/// <summary>Makes text of others fit to be shown: in a message, a log or a record.</summary>
internal static class DisplayText
{
    public const int LongestName = 64;
    public const int LongestMessage = 1000;

    /// <summary>A name of at most 64 characters with nothing in it that a terminal or a log reader acts on.</summary>
    public static string Name(string text) => Clean(text, LongestName);

    /// <summary>A message of at most 1,000 characters without control characters.</summary>
    public static string Message(string text) => Clean(text, LongestMessage);

    private static string Clean(string text, int longest)
    {
        if (text.Length <= longest && !NeedsWork(text))
        {
            return text;
        }

        var result = new StringBuilder(Math.Min(text.Length, longest) + 1);
        foreach (var rune in text.EnumerateRunes())
        {
            if (result.Length + rune.Utf16SequenceLength > longest)
            {
                return result.Append('…').ToString();
            }

            if (IsHarmless(rune))
            {
                result.Append(rune);
            }
            else
            {
                result.Append(rune.Value is '\n' or '\r' or '\t' ? ' ' : '?');
            }
        }

        return result.ToString();
    }

    private static bool NeedsWork(string text) => text.AsSpan().ContainsAnyExceptInRange(' ', '~');

    // Format characters turn text around (bidirectional overrides) or hide it; separators break lines in log viewers.
    private static bool IsHarmless(Rune rune) => !Rune.IsControl(rune) && Rune.GetUnicodeCategory(rune) is not
        (System.Globalization.UnicodeCategory.Format or System.Globalization.UnicodeCategory.LineSeparator
        or System.Globalization.UnicodeCategory.ParagraphSeparator or System.Globalization.UnicodeCategory.OtherNotAssigned);
}
