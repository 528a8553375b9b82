using System.Globalization;

namespace LlmProxy.Core.Admin;

/// <summary>How long, in one number with a unit: <c>30d</c>, <c>12h</c>, <c>90m</c>, <c>45s</c>.</summary>
internal static class ShortTime
{
    private const long MostDays = 36_500;

    /// <summary>Null if it is none.</summary>
    public static TimeSpan? Parse(string text)
    {
        if (text.Length < 2 || !long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
        {
            return null;
        }

        long? seconds = text[^1] switch { 'd' => 86_400, 'h' => 3600, 'm' => 60, 's' => 1, _ => null };
        return seconds is { } unit && count <= MostDays * 86_400 / unit ? TimeSpan.FromSeconds(count * unit) : null;
    }
}
