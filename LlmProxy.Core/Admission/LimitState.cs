using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Admission;

/// <summary>A limit and how it stands, for people.</summary>
/// <param name="Meter">Whose: <c>key/ID</c>, <c>group/NAME</c> or <c>user/GROUP/NAME</c>.</param>
/// <param name="Dimension">Of what.</param>
/// <param name="Limit">All of it; money in US dollars.</param>
/// <param name="Used">What is used, and what is set aside for requests that run.</param>
/// <param name="Resets">When all of it is there again; null: that is not known, or never.</param>
internal readonly record struct LimitState(string Meter, Dimension Dimension, decimal Limit, decimal Used, DateTimeOffset? Resets)
{
    public decimal Left => Math.Max(0, Limit - Used);
}

/// <summary>How limits stand. Nothing is set aside and no meter is made for looking.</summary>
internal sealed class LimitStates(Meters meters)
{
    /// <summary>Those that a caller has to pass, but for those of the people behind it.</summary>
    public List<LimitState> Of(Caller caller)
    {
        var found = new List<LimitState>();
        Look("key/" + caller.Id, caller.Own, caller.Zone, found);
        if (caller.Group is { } group)
        {
            Look("group/" + group, caller.Pool, caller.PoolZone, found);
        }

        return found;
    }

    /// <summary>Those that all keys of a group share.</summary>
    public List<LimitState> OfGroup(CompiledGroup group)
    {
        var found = new List<LimitState>();
        Look("group/" + group.Name, group.Options, group.Zone, found);
        return found;
    }

    /// <summary>Those of one of the people behind a group's keys.</summary>
    public List<LimitState> OfUser(string group, EndUserOptions? users, TimeZoneInfo zone, string user)
    {
        var found = new List<LimitState>();
        Look($"user/{group}/{user}", users, zone, found);
        return found;
    }

    private void Look(string name, AllowanceOptions? allowance, TimeZoneInfo zone, List<LimitState> found)
    {
        if (allowance is null)
        {
            return;
        }

        var meter = meters.Find(name);
        var calendar = meters.CalendarOf(zone);
        var now = meters.Now();
        var at = now.At(calendar);
        Add(Dimension.Requests, allowance.RequestsPerMinute);
        Add(Dimension.Tokens, allowance.TokensPerMinute);
        Add(Dimension.Concurrent, allowance.Concurrent);
        Add(Dimension.Day, allowance.Budget?.Day);
        Add(Dimension.Month, allowance.Budget?.Month);
        Add(Dimension.Total, allowance.Budget?.Total);

        void Add(Dimension dimension, decimal? limit)
        {
            if (limit is not { } all)
            {
                return;
            }

            var taken = meter?.Look(dimension, at).Taken ?? 0;
            found.Add(new LimitState(name, dimension, all, dimension >= Dimension.Day ? Money.ToDollars(taken) : taken, dimension switch
            {
                Dimension.Requests or Dimension.Tokens => meter?.LookAhead(dimension, now).Wait is > 0 and var wait ? new DateTimeOffset(now.Ticks, TimeSpan.Zero).AddSeconds(wait) : null,
                Dimension.Day => new DateTimeOffset(at.Day.Ends, TimeSpan.Zero),
                Dimension.Month => calendar.EndOfMonth(at.Day),
                _ => null,
            }));
        }
    }
}
