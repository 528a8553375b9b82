namespace LlmProxy.Core.Accounting;

/// <summary>
/// Places in small tables of what was used last. A hash of all of a text takes longer than what is to be found: its length and two of its
/// characters tell the few names apart that a proxy has at a time, and where they do not, what was there is only made anew.
/// </summary>
internal static class TextGlance
{
    public static int At(string? text) => string.IsNullOrEmpty(text) ? 0 : text.Length + (31 * text[^1]) + (7 * text[text.Length / 2]);
}
