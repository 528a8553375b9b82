namespace LlmProxy.Core.Admission;

/// <summary>
/// Money as meters count it: whole billionths of a dollar, so that thousands of requests can take of one budget with a single
/// addition each and nothing is ever rounded away. A token at 0.001 dollars per million is 1.
/// </summary>
internal static class Money
{
    private const decimal Unit = 1_000_000_000m;

    /// <summary>More than anybody has; leaves room for sums.</summary>
    public const long Most = long.MaxValue / 4;

    /// <summary>Rounded up: what costs anything costs at least 1.</summary>
    public static long FromDollars(decimal dollars) => dollars < 0 ? -Positive(-dollars) : Positive(dollars);

    public static decimal ToDollars(long money) => money / Unit;

    private static long Positive(decimal dollars) => dollars >= Most / Unit ? Most : (long)decimal.Ceiling(dollars * Unit);
}
