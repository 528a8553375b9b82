namespace LlmProxy.Core.Configuration;

/// <summary>Finds what a misspelt name was meant to be.</summary>
internal static class NearestName
{
    // Longer texts are no misspelt names, and comparing them costs the product of the lengths.
    private const int Longest = 128;

    // "gpt", "o3-", "qwe": the family.
    private const int LeastInCommon = 3;

    /// <summary>The known name nearest to <paramref name="asked"/>, or null if none is near.</summary>
    public static string? Find(string asked, IEnumerable<string> known)
    {
        if (asked.Length is 0 or > Longest)
        {
            return null;
        }

        string? nearest = null;
        var least = Math.Max(1, asked.Length / 3) + 1;
        foreach (var name in known)
        {
            if (Math.Abs(name.Length - asked.Length) >= least)
            {
                continue;
            }

            var distance = Distance(asked, name);
            if (distance < least)
            {
                (nearest, least) = (name, distance);
            }
        }

        return nearest;
    }

    /// <summary>The known name nearest to <paramref name="asked"/>, of those that have something to do with it; null if none has.</summary>
    /// <remarks>
    /// That is more than a misspelt one: another version of the same model, a shorter or a longer name of it. Not just any: who asked
    /// for "mistral" is not helped by "demo".
    /// </remarks>
    public static string? Closest(string asked, IEnumerable<string> known)
    {
        asked = asked.Length > Longest ? asked[..Longest] : asked;
        return known.Where(name => IsRelated(asked, name)).MinBy(name => Distance(asked, name));
    }

    private static bool IsRelated(string asked, string name) =>
        (Math.Min(asked.Length, name.Length) >= LeastInCommon
            && (asked.Contains(name, StringComparison.OrdinalIgnoreCase) || name.Contains(asked, StringComparison.OrdinalIgnoreCase)
                || asked.StartsWith(name[..LeastInCommon], StringComparison.OrdinalIgnoreCase)))
        || Distance(asked, name) <= Math.Max(asked.Length, name.Length) / 3;

    /// <summary>How to go on after "unknown …": the nearest name, or all there are if none is near.</summary>
    public static string Advise(string asked, IReadOnlyCollection<string> known)
    {
        const int enough = 12;
        if (Find(asked, known) is { } nearest)
        {
            return $"Did you mean {Problems.Quote(nearest)}?";
        }

        return known.Count == 0
            ? "None is configured."
            : $"Known: {string.Join(", ", known.Take(enough))}{(known.Count > enough ? ", …" : "")}.";
    }

    /// <summary>Letters to insert, delete, replace or swap with their neighbour; case does not count.</summary>
    private static int Distance(string a, string b)
    {
        var beforeLast = new int[b.Length + 1];
        var last = new int[b.Length + 1];
        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++)
        {
            last[j] = j;
        }

        for (var i = 1; i <= a.Length; i++)
        {
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = Same(a[i - 1], b[j - 1]) ? 0 : 1;
                row[j] = Math.Min(Math.Min(row[j - 1] + 1, last[j] + 1), last[j - 1] + cost);
                if (i > 1 && j > 1 && Same(a[i - 1], b[j - 2]) && Same(a[i - 2], b[j - 1]))
                {
                    row[j] = Math.Min(row[j], beforeLast[j - 2] + 1);
                }
            }

            (beforeLast, last, row) = (last, row, beforeLast);
        }

        return last[b.Length];
    }

    private static bool Same(char a, char b) => char.ToLowerInvariant(a) == char.ToLowerInvariant(b);
}
