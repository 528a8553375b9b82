using System.Collections.Concurrent;
using System.Globalization;

namespace LlmProxy.Core.Admission;

/// <summary>Everybody's meters. What nobody has used for long, and what holds nothing that anybody has to know, is forgotten.</summary>
/// <param name="time">Tells the time.</param>
/// <param name="sharing">With other replicas, if there are any.</param>
/// <param name="keepsTotals">Has a group, by its name, a budget for ever for each of its end users? Asked when something is to be forgotten. Null: none has.</param>
internal sealed class Meters(TimeProvider time, LimitSharing? sharing = null, Func<string, bool>? keepsTotals = null)
{
    private const int FirstSweep = 20_000;

    /// <summary>Longer than any rate counts, so that whoever comes back sees no difference.</summary>
    private const long IdleSeconds = 300;

    /// <summary>Between two looks for users who are gone, when a group has no room for another: a look is at all meters.</summary>
    private const long RoomSeconds = 60;

    private readonly ConcurrentDictionary<string, Meter> _byName = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, UserMeters> _users = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Calendar> _calendars = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, PoolLimits> _pools = new(StringComparer.Ordinal);
    private readonly LimitClock _clock = sharing?.Clock ?? new(time);
    private int _count;
    private int _nextSweep = FirstSweep;
    private long _madeRoom = long.MinValue / 2;
    private volatile bool _awaitsSpend;

    /// <summary>With other replicas; null where there are none.</summary>
    public LimitSharing? Sharing { get; } = sharing is { IsOn: true } ? sharing : null;

    /// <summary>How many there are.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>What was spent before the start is counted; as long as it is not, nobody knows what is left of a budget.</summary>
    public bool IsSpendKnown => !_awaitsSpend;

    /// <summary>The meter of that name, which is made if there is none.</summary>
    public Meter Of(string name) => _byName.TryGetValue(name, out var meter) && !meter.IsForgotten ? meter : Create(name);

    /// <summary>The meter of that name, if there is one.</summary>
    public Meter? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>The end users of a group.</summary>
    public UserMeters UsersOf(string group) => _users.GetOrAdd(group, static (name, all) => new UserMeters(name, all), this);

    /// <summary>
    /// What the keys of a group share: one object for all of them, that is mostly in a cache of the processor when the next key comes.
    /// </summary>
    /// <param name="group">Its name.</param>
    /// <param name="made">What it is by the configuration; taken if what is known is not the same.</param>
    public PoolLimits PoolOf(string group, PoolLimits made) =>
        _pools.AddOrUpdate(group, static (_, made) => made, static (_, known, made) => known.IsSame(made) ? known : made, made);

    public Calendar CalendarOf(TimeZoneInfo zone) =>
        zone.Equals(TimeZoneInfo.Utc) ? Calendar.Utc : _calendars.GetOrAdd(zone.Id, static (_, place) => new Calendar(place), zone);

    public Instant Now() => _clock.Now();

    /// <summary>Forgets who may be forgotten, for somebody who has no room. False if that was done a moment ago.</summary>
    public bool TryMakeRoom()
    {
        var (now, last) = (Now().Second, Volatile.Read(ref _madeRoom));
        if (now - last < RoomSeconds || Interlocked.CompareExchange(ref _madeRoom, now, last) != last)
        {
            return false;
        }

        Sweep();
        return true;
    }

    /// <summary>What was spent before is read: until <see cref="SpendIsKnown"/> nobody knows what is left of a budget.</summary>
    public void AwaitSpend() => _awaitsSpend = true;

    public void SpendIsKnown() => _awaitsSpend = false;

    /// <summary>Counts what was spent, of which no request here tells: before the start, or by prices that were put right.</summary>
    /// <param name="meter">As the ledger names it.</param>
    /// <param name="window">A day (<c>2026-11-25</c>), a month (<c>2026-11</c>) or <c>total</c>.</param>
    /// <param name="dollars">Below 0 for what was less.</param>
    public void Add(string meter, string window, decimal dollars)
    {
        var money = Money.FromDollars(dollars);
        if (window == "total")
        {
            Add(meter, Dimension.Total, 0, money);
        }
        else if (DateOnly.TryParseExact(window, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day))
        {
            Add(meter, Dimension.Day, day.DayNumber, money);
        }
        else if (DateOnly.TryParseExact(window, "yyyy-MM", CultureInfo.InvariantCulture, DateTimeStyles.None, out var month))
        {
            Add(meter, Dimension.Month, (month.Year * 12L) + month.Month - 1, money);
        }
    }

    private void Add(string meter, Dimension dimension, long window, long money)
    {
        while (!Of(meter).TryAdd(dimension, window, money))
        {
            // Forgotten in this moment: the next is another.
        }
    }

    private Meter Create(string name)
    {
        var made = new Meter(name, Sharing);
        while (true)
        {
            var meter = _byName.GetOrAdd(name, made);
            if (meter == made)
            {
                if (Interlocked.Increment(ref _count) >= Volatile.Read(ref _nextSweep))
                {
                    Sweep();
                }

                return made;
            }

            // One that is forgotten is about to be taken away. Whoever replaces it before takes over its place in the count.
            if (!meter.IsForgotten)
            {
                return meter;
            }

            if (_byName.TryUpdate(name, made, meter))
            {
                return made;
            }
        }
    }

    /// <summary>What an end user spent long ago has to be known by a budget for ever, though nobody may have asked for the user since the start.</summary>
    private bool KeepsTotal(string meter) => keepsTotals is not null && UserMeters.GroupIn(meter) is { } group
        && (keepsTotals(group) || keepsTotals(group.Replace("%2F", "/", StringComparison.Ordinal)));

    private void Sweep()
    {
        // The others go on with what there is.
        if (Interlocked.Exchange(ref _nextSweep, int.MaxValue) == int.MaxValue)
        {
            return;
        }

        // No clock is a whole day behind UTC: what is over by then is over everywhere.
        var today = Now().At(Calendar.Utc);
        var now = today with { Day = Calendar.Utc.DayAt(today.Day.Begins - 1) };
        foreach (var (name, meter) in _byName)
        {
            if (now.Second - meter.LastTaken > IdleSeconds && meter.TryForget(now, KeepsTotal(name)) && _byName.TryRemove(new KeyValuePair<string, Meter>(name, meter)))
            {
                Interlocked.Decrement(ref _count);
            }
        }

        foreach (var users in _users.Values)
        {
            users.Sweep();
        }

        Volatile.Write(ref _nextSweep, Math.Max(FirstSweep, Count * 2));
    }
}

/// <summary>The meters of a group's end users, by the name that a header gives: no name is put together for a request.</summary>
internal sealed class UserMeters(string group, Meters all)
{
    /// <summary>Whoever comes when so many are known shares one meter with all others who do: nobody is unlimited for being one too many.</summary>
    public const int Most = 100_000;

    /// <summary>What all names of users begin with.</summary>
    public const string Prefix = "user/";

    private readonly ConcurrentDictionary<string, Meter> _byName = new(StringComparer.Ordinal);
    private int _count;

    public string Group { get; } = group;

    public Meter Of(string user)
    {
        if (_byName.TryGetValue(user, out var known) && !known.IsForgotten)
        {
            return known;
        }

        if (known is null && Volatile.Read(ref _count) >= Most && !(all.TryMakeRoom() && Volatile.Read(ref _count) < Most))
        {
            return all.Of(NameOf("*"));
        }

        var meter = all.Of(NameOf(user));
        if (known is not null)
        {
            _byName[user] = meter;
        }
        else if (_byName.TryAdd(user, meter))
        {
            Interlocked.Increment(ref _count);
        }

        return meter;
    }

    /// <summary>As the ledger names it.</summary>
    public string NameOf(string user) => NameOf(Group, user);

    /// <summary>A slash in the group's name is escaped, so that no two users are the same.</summary>
    public static string NameOf(string group, string user) => $"{Prefix}{group.Replace("/", "%2F", StringComparison.Ordinal)}/{user}";

    /// <summary>The group in a user's name, as it stands there; null if it is the name of something else.</summary>
    public static string? GroupIn(string meter) => meter.StartsWith(Prefix, StringComparison.Ordinal) && meter.IndexOf('/', Prefix.Length) is > 0 and var end
        ? meter[Prefix.Length..end]
        : null;

    public void Sweep()
    {
        foreach (var (user, meter) in _byName)
        {
            if (meter.IsForgotten && _byName.TryRemove(new KeyValuePair<string, Meter>(user, meter)))
            {
                Interlocked.Decrement(ref _count);
            }
        }
    }
}
