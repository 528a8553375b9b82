using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Admission;

/// <summary>All that admission has to know of a caller, worked out once for each configuration: no request looks a name up.</summary>
internal sealed class CallerLimits
{
    private readonly Ceilings _own;

    /// <param name="caller">Whose.</param>
    /// <param name="meters">All that are live.</param>
    public CallerLimits(Caller caller, Meters meters)
    {
        Meter = meters.Of("key/" + caller.Id);
        Calendar = meters.CalendarOf(caller.Zone);
        _own = Ceilings.Of(caller.Own);
        if (caller.Group is { } group)
        {
            var users = caller.Pool?.EndUser is { } each ? new UserLimits(meters.UsersOf(group), each.Header, Ceilings.Of(each)) : null;
            Pool = meters.PoolOf(group, new PoolLimits(meters.Of("group/" + group), Ceilings.Of(caller.Pool), meters.CalendarOf(caller.PoolZone), users));
        }

        PoolMeter = Pool?.Meter;
        IsLimited = _own.HasAny || PoolCeilings.HasAny || EachCeilings.HasAny;
        CountsTokens = Any(Dimension.Tokens);
        HasRates = CountsTokens || Any(Dimension.Requests);
        HasBudget = _own.HasBudget || PoolCeilings.HasBudget || EachCeilings.HasBudget;
        IsExact = IsExactly(_own, caller.Own.Reserve ?? caller.Pool?.Reserve)
            || IsExactly(PoolCeilings, caller.Pool?.Reserve)
            || IsExactly(EachCeilings, caller.Pool?.EndUser?.Reserve ?? caller.Pool?.Reserve);
        TokenLimit = Least(Dimension.Tokens);
    }

    /// <summary>The key's own.</summary>
    public Meter Meter { get; }

    /// <summary>Whose days and months the key's budgets count.</summary>
    public Calendar Calendar { get; }

    /// <summary>What the key may use by itself.</summary>
    public ref readonly Ceilings Ceilings => ref _own;

    /// <summary>What it shares with its group; null if it has none.</summary>
    public PoolLimits? Pool { get; }

    /// <summary>The pool's, if there is one: found from here, and not after it.</summary>
    public Meter? PoolMeter { get; }

    /// <summary>Of the people behind its group's keys; null if they are not told apart.</summary>
    public UserLimits? Users => Pool?.Users;

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
    public bool IsStale => Meter.IsForgotten || PoolMeter?.IsForgotten == true;

    private Ceilings PoolCeilings => Pool?.Ceilings ?? default;

    private Ceilings EachCeilings => Users?.Ceilings ?? default;

    private static bool IsExactly(in Ceilings ceilings, ReserveMode? mode) => mode == ReserveMode.Exact && ceilings.HasAny;

    private bool Any(Dimension dimension) => _own.Has(dimension) || PoolCeilings.Has(dimension) || EachCeilings.Has(dimension);

    private long Least(Dimension dimension)
    {
        var least = long.MaxValue;
        foreach (var ceilings in (ReadOnlySpan<Ceilings>)[_own, PoolCeilings, EachCeilings])
        {
            least = ceilings.Has(dimension) ? Math.Min(least, ceilings[dimension]) : least;
        }

        return least == long.MaxValue ? -1 : least;
    }
}

/// <summary>What the keys of a group share.</summary>
internal sealed class PoolLimits(Meter meter, in Ceilings ceilings, Calendar calendar, UserLimits? users)
{
    private readonly Ceilings _ceilings = ceilings;

    public Meter Meter { get; } = meter;

    /// <summary>Null if the people behind its keys are not told apart.</summary>
    public UserLimits? Users { get; } = users;

    /// <summary>Whose days and months its budgets, and those of its end users, count.</summary>
    public Calendar Calendar { get; } = calendar;

    public ref readonly Ceilings Ceilings => ref _ceilings;

    public bool IsSame(PoolLimits other) =>
        Meter == other.Meter && Calendar == other.Calendar && _ceilings.IsSame(other._ceilings)
        && (Users is null ? other.Users is null : other.Users is not null && Users.IsSame(other.Users));
}

/// <summary>What the people behind a group's keys may use, each for himself.</summary>
internal sealed class UserLimits(UserMeters meters, string header, in Ceilings ceilings)
{
    private readonly Ceilings _ceilings = ceilings;

    public UserMeters Meters { get; } = meters;

    /// <summary>Names one of them.</summary>
    public string Header { get; } = header;

    public ref readonly Ceilings Ceilings => ref _ceilings;

    public bool IsSame(UserLimits other) => Meters == other.Meters && Header == other.Header && _ceilings.IsSame(other._ceilings);
}
