namespace LlmProxy.Core.Protocol;

/// <summary>How far one name is from another, to name the nearest one.</summary>
internal static class EditDistance
{
    /// <summary>The Levenshtein distance, ignoring case at a third of a step.</summary>
    /// <returns>Three for each character that must be put in, taken out or changed.</returns>
    public static int Between(string a, string b)
    {
        var previous = new int[b.Length + 1];
        var current = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++)
        {
            previous[j] = 3 * j;
        }

        for (var i = 1; i <= a.Length; i++)
        {
            current[0] = 3 * i;
            for (var j = 1; j <= b.Length; j++)
            {
                var change = a[i - 1] == b[j - 1] ? 0 : char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 1 : 3;
                current[j] = Math.Min(Math.Min(previous[j], current[j - 1]) + 3, previous[j - 1] + change);
            }

            (previous, current) = (current, previous);
        }

        return previous[b.Length];
    }
}
