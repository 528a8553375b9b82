namespace LlmProxy.Core.Admission;

/// <summary>
/// Money as meters count it: whole billionths of a dollar, so that thousands of requests can take of one budget with a single
/// addition each and nothing is ever rounded away. A token at 0.001 dollars per million is 1.
/// </summary>
internal static class Money
{
    private const decimal Unit = 1_000_000_000m;
    private const int UnitDigits = 9;

    // A decimal has at most 28 digits behind its point.
    private static readonly ulong[] _powers = PowersOfTen(28 - UnitDigits);

    /// <summary>More than anybody has; leaves room for sums.</summary>
    public const long Most = long.MaxValue / 4;

    /// <summary>Rounded up: what costs anything costs at least 1.</summary>
    public static long FromDollars(decimal dollars) => dollars < 0 ? -Positive(-dollars) : Positive(dollars);

    /// <summary>The same for a sum in trillionths of a dollar, not below 0.</summary>
    public static long FromTrillionths(long trillionths) => (trillionths + 999) / 1000;

    public static decimal ToDollars(long money) => money / Unit;

    private static ulong[] PowersOfTen(int highest)
    {
        var powers = new ulong[highest + 1];
        powers[0] = 1;
        for (var i = 1; i < powers.Length; i++)
        {
            powers[i] = powers[i - 1] * 10;
        }

        return powers;
    }

    private static long Positive(decimal dollars)
    {
        if (dollars >= Most / Unit)
        {
            return Most;
        }

        // As a decimal it is a whole number and how many of its digits are behind the point. Nearly all that cost anything fit into 64
        // bits, and to move the point is a multiplication or a division then; with decimals it is four times as much.
        Span<int> parts = stackalloc int[4];
        decimal.GetBits(dollars, parts);
        if (parts[2] != 0)
        {
            return (long)decimal.Ceiling(dollars * Unit);
        }

        var digits = (uint)parts[0] | ((ulong)(uint)parts[1] << 32);
        var behind = (parts[3] >> 16) & 0xFF;
        if (behind <= UnitDigits)
        {
            return (long)(digits * _powers[UnitDigits - behind]);
        }

        var (whole, rest) = Math.DivRem(digits, _powers[behind - UnitDigits]);
        return (long)whole + (rest == 0 ? 0 : 1);
    }
}
