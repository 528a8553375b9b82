using System.Globalization;
using System.Text;

namespace LlmProxy.Host.Clients;

/// <summary>Values as text of other languages: whatever they hold, they stay one value there.</summary>
internal static class Quoting
{
    /// <summary>For a POSIX shell: between single quotes nothing has a meaning but the single quote.</summary>
    public static string Shell(string value) => $"'{value.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    /// <summary>
    /// A literal that TOML, Python, JavaScript and C# read alike. Whatever ends a line, steers a terminal or turns the direction of
    /// writing around is escaped; characters beyond 16 bits stand as they are, since the four escape them differently.
    /// </summary>
    public static string Literal(string value)
    {
        var quoted = new StringBuilder(value.Length + 2).Append('"');
        foreach (var character in value)
        {
            if (character is '"' or '\\')
            {
                quoted.Append('\\').Append(character);
            }
            else if (char.GetUnicodeCategory(character) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
            {
                quoted.Append("\\u").Append(((int)character).ToString("x4", CultureInfo.InvariantCulture));
            }
            else
            {
                quoted.Append(character);
            }
        }

        return quoted.Append('"').ToString();
    }
}
