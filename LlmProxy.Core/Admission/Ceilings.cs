using System.Numerics;
using System.Runtime.CompilerServices;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Admission;

/// <summary>The limits of somebody, in the order of <see cref="Dimension"/>: whole numbers, one after the other in memory.</summary>
internal readonly struct Ceilings
{
    /// <summary>How many dimensions there are.</summary>
    public const int Count = 6;

    /// <summary>Of <see cref="Limited"/>, those of money.</summary>
    public const uint Money = (1u << (int)Dimension.Day) | (1u << (int)Dimension.Month) | (1u << (int)Dimension.Total);

    private const uint Rates = (1u << (int)Dimension.Requests) | (1u << (int)Dimension.Tokens);

    private readonly Limits _limits;

    private Ceilings(AllowanceOptions allowance)
    {
        // One more than the limit, so that nothing, which is 0, is no limit.
        _limits[0] = 1L + (allowance.RequestsPerMinute ?? -1);
        _limits[1] = 1L + (allowance.TokensPerMinute ?? -1);
        _limits[2] = 1L + (allowance.Concurrent ?? -1);
        _limits[3] = Dollars(allowance.Budget?.Day);
        _limits[4] = Dollars(allowance.Budget?.Month);
        _limits[5] = Dollars(allowance.Budget?.Total);
        for (var i = 0; i < Count; i++)
        {
            Limited |= _limits[i] != 0 ? 1u << i : 0;
        }
    }

    /// <summary>Something is limited.</summary>
    public bool HasAny => Limited != 0;

    /// <summary>Requests or tokens of a minute are limited.</summary>
    public bool HasRates => (Limited & Rates) != 0;

    public bool HasBudget => (Limited & Money) != 0;

    /// <summary>The dimensions that are limited, a bit for each: whoever goes through them looks at no other.</summary>
    public uint Limited { get; }

    /// <summary>The limit; below 0 if there is none.</summary>
    public long this[Dimension dimension] => _limits[(int)dimension] - 1;

    public static Ceilings Of(AllowanceOptions? allowance) => allowance is null ? default : new Ceilings(allowance);

    public bool Has(Dimension dimension) => (Limited & (1u << (int)dimension)) != 0;

    private static long Dollars(decimal? dollars) => dollars is { } amount ? 1 + Math.Max(0, Admission.Money.FromDollars(amount)) : 0;

    public bool IsSame(in Ceilings other) => ((ReadOnlySpan<long>)_limits).SequenceEqual(other._limits);

    /// <summary>Takes the first dimension out of a set.</summary>
    public static Dimension Next(ref uint dimensions)
    {
        var first = BitOperations.TrailingZeroCount(dimensions);
        dimensions &= dimensions - 1;
        return (Dimension)first;
    }

    [InlineArray(Count)]
    private struct Limits
    {
        private long _first;
    }
}
