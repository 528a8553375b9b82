using System.Runtime.CompilerServices;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Admission;

/// <summary>The limits of somebody, in the order of <see cref="Dimension"/>: whole numbers, one after the other in memory.</summary>
internal readonly struct Ceilings
{
    /// <summary>How many dimensions there are.</summary>
    public const int Count = 6;

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
        foreach (var limit in (ReadOnlySpan<long>)_limits)
        {
            HasAny |= limit != 0;
        }
    }

    /// <summary>Something is limited.</summary>
    public bool HasAny { get; }

    public bool HasBudget => Has(Dimension.Day) || Has(Dimension.Month) || Has(Dimension.Total);

    /// <summary>The limit; below 0 if there is none.</summary>
    public long this[Dimension dimension] => _limits[(int)dimension] - 1;

    public static Ceilings Of(AllowanceOptions? allowance) => allowance is null ? default : new Ceilings(allowance);

    public bool Has(Dimension dimension) => _limits[(int)dimension] != 0;

    private static long Dollars(decimal? dollars) => dollars is { } amount ? 1 + Math.Max(0, Money.FromDollars(amount)) : 0;

    [InlineArray(Count)]
    private struct Limits
    {
        private long _first;
    }
}
