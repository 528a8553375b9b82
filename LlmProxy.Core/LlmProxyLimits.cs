using LlmProxy.Core.Admission;

namespace LlmProxy.Core;

/// <summary>A limit in force, and what stands against it now.</summary>
/// <param name="Meter">Whose: <c>key/ID</c>, <c>group/NAME</c> or <c>user/GROUP/NAME</c>.</param>
/// <param name="Of">What it counts: <c>requests</c>, <c>tokens</c>, <c>concurrent</c> or <c>usd</c>.</param>
/// <param name="Window">In which time: <c>minute</c>, <c>now</c>, <c>day</c>, <c>month</c> or <c>total</c>.</param>
/// <param name="Limit">All of it.</param>
/// <param name="Used">What is used, and set aside for requests that run.</param>
/// <param name="Left">What is left; never below 0.</param>
/// <param name="Resets">When nothing stands against it any more, UTC; null: when requests end, or never.</param>
public sealed record LlmProxyLimit(string Meter, string Of, string Window, decimal Limit, decimal Used, decimal Left, DateTimeOffset? Resets);

/// <summary>Limits of keys and groups and what is left of them, as this instance counts. Resolve it from DI.</summary>
public sealed class LlmProxyLimits
{
    private readonly LlmProxySnapshots _snapshots;
    private readonly Admitter _admitter;
    private readonly Meters _meters;

    internal LlmProxyLimits(LlmProxySnapshots snapshots, Admitter admitter, Meters meters) => (_snapshots, _admitter, _meters) = (snapshots, admitter, meters);

    /// <summary>Those that a key has to pass: its own first, then its group's.</summary>
    /// <param name="id">The key's id or name; nothing for an unknown one.</param>
    public IReadOnlyList<LlmProxyLimit> OfKey(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        if (_snapshots.Current.Keys.FindById(id) is not { } caller)
        {
            return [];
        }

        var limits = _admitter.LimitsOf(caller);
        var found = new List<LlmProxyLimit>();
        Add(found, limits.Key.Meter.Name, limits.Key.Meter, limits.Key.Ceilings, limits.Key.Calendar);
        if (limits.Pool is { } pool)
        {
            Add(found, pool.Meter.Name, pool.Meter, pool.Ceilings, pool.Calendar);
        }

        return found;
    }

    /// <summary>Those that all keys of a group share.</summary>
    /// <param name="name">The group; nothing for an unknown one.</param>
    public IReadOnlyList<LlmProxyLimit> OfGroup(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var found = new List<LlmProxyLimit>();
        if (_snapshots.Current.Keys.FindGroup(name) is { } group)
        {
            Add(found, "group/" + name, _meters.Find("group/" + name), Ceilings.Of(group.Options), _meters.CalendarOf(group.Zone));
        }

        return found;
    }

    /// <summary>Those of one person behind the shared keys of a group.</summary>
    /// <param name="group">The group; nothing for one that does not tell its users apart.</param>
    /// <param name="user">As the trusted header names it.</param>
    public IReadOnlyList<LlmProxyLimit> OfEndUser(string group, string user)
    {
        ArgumentNullException.ThrowIfNull(group);
        ArgumentNullException.ThrowIfNull(user);
        var found = new List<LlmProxyLimit>();
        if (_snapshots.Current.Keys.FindGroup(group) is { Options.EndUser: { } each } known)
        {
            var name = $"user/{group}/{user}";
            Add(found, name, _meters.Find(name), Ceilings.Of(each), _meters.CalendarOf(known.Zone));
        }

        return found;
    }

    private void Add(List<LlmProxyLimit> found, string name, Meter? meter, Ceilings ceilings, Calendar calendar)
    {
        var instant = _meters.Now();
        var now = instant.At(calendar);
        for (var i = 0; i < Ceilings.Count; i++)
        {
            var dimension = (Dimension)i;
            if (!ceilings.Has(dimension))
            {
                continue;
            }

            var isMoney = dimension >= Dimension.Day;
            var (limit, taken) = (ceilings[dimension], meter?.Look(dimension, now).Taken ?? 0);
            found.Add(new LlmProxyLimit(
                name, isMoney ? "usd" : WordOf(dimension), WindowOf(dimension), Amount(limit, isMoney), Amount(taken, isMoney), Amount(Math.Max(0, limit - taken), isMoney),
                ResetOf(dimension, meter, calendar, instant, now)));
        }
    }

    private static decimal Amount(long value, bool isMoney) => isMoney ? Money.ToDollars(value) : value;

    private static string WordOf(Dimension dimension) => dimension switch
    {
        Dimension.Requests => "requests",
        Dimension.Tokens => "tokens",
        _ => "concurrent",
    };

    private static string WindowOf(Dimension dimension) => dimension switch
    {
        Dimension.Requests or Dimension.Tokens => "minute",
        Dimension.Day => "day",
        Dimension.Month => "month",
        Dimension.Total => "total",
        _ => "now",
    };

    private static DateTimeOffset? ResetOf(Dimension dimension, Meter? meter, Calendar calendar, in Instant instant, in Moment now) => dimension switch
    {
        Dimension.Requests or Dimension.Tokens => new DateTimeOffset(instant.Ticks, TimeSpan.Zero).AddSeconds(meter?.LookAhead(dimension, instant).Wait ?? 0),
        Dimension.Day => new DateTimeOffset(now.Day.Ends, TimeSpan.Zero),
        Dimension.Month => calendar.EndOfMonth(now.Day),
        _ => null,
    };
}
