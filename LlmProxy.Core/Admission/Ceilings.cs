using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Admission;

/// <summary>The limits of somebody, in the order of <see cref="Dimension"/>. Immutable.</summary>
internal sealed class Ceilings
{
    /// <summary>How many dimensions there are.</summary>
    public const int Count = 6;

    private const long None = -1;

    private readonly long[] _limits;

    private Ceilings(AllowanceOptions? allowance)
    {
        _limits =
        [
            allowance?.RequestsPerMinute ?? None,
            allowance?.TokensPerMinute ?? None,
            allowance?.Concurrent ?? None,
            Dollars(allowance?.Budget?.Day),
            Dollars(allowance?.Budget?.Month),
            Dollars(allowance?.Budget?.Total),
        ];
    }

    /// <summary>Nothing is limited.</summary>
    public static Ceilings Open { get; } = new(null);

    /// <summary>Something is limited.</summary>
    public bool HasAny => _limits.AsSpan().ContainsAnyExcept(None);

    public bool HasBudget => Has(Dimension.Day) || Has(Dimension.Month) || Has(Dimension.Total);

    /// <summary>The limit; below 0 if there is none.</summary>
    public long this[Dimension dimension] => _limits[(int)dimension];

    public static Ceilings Of(AllowanceOptions? allowance) =>
        allowance is null ? Open : new Ceilings(allowance) is { HasAny: true } ceilings ? ceilings : Open;

    public bool Has(Dimension dimension) => _limits[(int)dimension] >= 0;

    private static long Dollars(decimal? dollars) => dollars is { } amount ? Math.Max(0, Money.FromDollars(amount)) : None;
}
