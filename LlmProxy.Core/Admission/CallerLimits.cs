using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Admission;

/// <summary>One limit holder of those that a request has to pass.</summary>
/// <param name="Meter">Live.</param>
/// <param name="Ceilings">Of this configuration.</param>
/// <param name="Calendar">Whose days and months count.</param>
internal sealed record Scope(Meter Meter, Ceilings Ceilings, Calendar Calendar);

/// <summary>All that admission has to know of a caller, worked out once for each configuration: no request looks a name up.</summary>
internal sealed class CallerLimits
{
    /// <param name="caller">Whose.</param>
    /// <param name="meters">All that are live.</param>
    public CallerLimits(Caller caller, Meters meters)
    {
        Key = new Scope(meters.Of("key/" + caller.Id), Ceilings.Of(caller.Own), meters.CalendarOf(caller.Zone));
        if (caller.Group is { } group)
        {
            var pool = caller.Pool;
            Pool = new Scope(meters.Of("group/" + group), Ceilings.Of(pool), meters.CalendarOf(caller.PoolZone));
            if (pool?.EndUser is { } each)
            {
                Users = meters.UsersOf(group);
                UserHeader = each.Header;
                UserCeilings = Ceilings.Of(each);
            }
        }

        IsLimited = Key.Ceilings.HasAny || Pool?.Ceilings.HasAny == true || UserCeilings.HasAny;
        CountsTokens = Any(Dimension.Tokens);
        HasRates = CountsTokens || Any(Dimension.Requests);
        HasBudget = Key.Ceilings.HasBudget || Pool?.Ceilings.HasBudget == true || UserCeilings.HasBudget;
        IsExact = IsExactly(Key.Ceilings, caller.Own.Reserve ?? caller.Pool?.Reserve)
            || (Pool is not null && IsExactly(Pool.Ceilings, caller.Pool?.Reserve))
            || IsExactly(UserCeilings, caller.Pool?.EndUser?.Reserve ?? caller.Pool?.Reserve);
        TokenLimit = Least(Dimension.Tokens);
    }

    public Scope Key { get; }

    /// <summary>What it shares with its group; null if it has none.</summary>
    public Scope? Pool { get; }

    /// <summary>The people behind its group's keys; null if they are not told apart.</summary>
    public UserMeters? Users { get; }

    /// <summary>Names one of them.</summary>
    public string UserHeader { get; } = "";

    /// <summary>What each of them may use.</summary>
    public Ceilings UserCeilings { get; } = Ceilings.Open;

    /// <summary>Something is limited; else all that is done for the caller is to count what it spends.</summary>
    public bool IsLimited { get; }

    public bool CountsTokens { get; }

    /// <summary>Its answers say what is left of requests or tokens.</summary>
    public bool HasRates { get; }

    public bool HasBudget { get; }

    /// <summary>The longest answer that is possible is set aside; one scope that wants that is enough.</summary>
    public bool IsExact { get; }

    /// <summary>The smallest limit of tokens; below 0 if there is none.</summary>
    public long TokenLimit { get; }

    /// <summary>One of its meters is not the one that is found now.</summary>
    public bool IsStale => Key.Meter.IsForgotten || Pool?.Meter.IsForgotten == true;

    private static bool IsExactly(Ceilings ceilings, ReserveMode? mode) => mode == ReserveMode.Exact && ceilings.HasAny;

    private bool Any(Dimension dimension) => Key.Ceilings.Has(dimension) || Pool?.Ceilings.Has(dimension) == true || UserCeilings.Has(dimension);

    private long Least(Dimension dimension)
    {
        var least = long.MaxValue;
        foreach (var ceilings in (ReadOnlySpan<Ceilings>)[Key.Ceilings, Pool?.Ceilings ?? Ceilings.Open, UserCeilings])
        {
            least = ceilings.Has(dimension) ? Math.Min(least, ceilings[dimension]) : least;
        }

        return least == long.MaxValue ? -1 : least;
    }
}
