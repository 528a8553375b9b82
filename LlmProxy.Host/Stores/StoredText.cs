using System.Text;

namespace LlmProxy.Host.Stores;

/// <summary>Text as every store can hold it, the same in all of them: one row that a database refuses would hold up all that come after it.</summary>
internal static class StoredText
{
    private const char Replacement = '\uFFFD';

    /// <summary>Puts the replacement character for zeros, which end a text for some databases, and for halves of surrogate pairs, which are no text.</summary>
    public static string Of(string text) =>
        !text.Contains('\0', StringComparison.Ordinal) && !text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? text : Mend(text);

    public static string[] Of(IReadOnlyCollection<string> texts) => [.. texts.Select(Of)];

    private static string Mend(string text)
    {
        var mended = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value == 0)
            {
                mended.Append(Replacement);
            }
            else
            {
                mended.Append(rune.ToString());
            }
        }

        return mended.ToString();
    }
}
