using System.Globalization;
using System.Text;

namespace LlmProxy.Host.Terminal;

/// <summary>Makes text safe for a line on a terminal or in a log: what steers a terminal, or forges a second line, is shown instead.</summary>
internal static class Visible
{
    public static string Line(string text)
    {
        foreach (var character in text)
        {
            if (IsUnsafe(character))
            {
                return Escape(text);
            }
        }

        return text;
    }

    private static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length + 16);
        foreach (var character in text)
        {
            if (IsUnsafe(character))
            {
                escaped.Append("\\u").Append(((int)character).ToString("x4", CultureInfo.InvariantCulture));
            }
            else
            {
                escaped.Append(character);
            }
        }

        return escaped.ToString();
    }

    /// <summary>Controls (C0 and C1), separators of lines, and what turns the direction of writing around.</summary>
    private static bool IsUnsafe(char character) => char.GetUnicodeCategory(character)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
