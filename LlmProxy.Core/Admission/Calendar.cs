namespace LlmProxy.Core.Admission;

/// <summary>A day where somebody lives, and when it begins and ends everywhere else.</summary>
/// <param name="Date">There.</param>
/// <param name="Begins">Ticks, UTC.</param>
/// <param name="Ends">Ticks, UTC; the next day's beginning.</param>
internal sealed record CivilDay(DateOnly Date, long Begins, long Ends)
{
    /// <summary>Grows by one with each day.</summary>
    public long Number { get; } = Date.DayNumber;

    /// <summary>Grows by one with each month.</summary>
    public long Month { get; } = (Date.Year * 12L) + Date.Month - 1;

    public bool Holds(long ticks) => ticks >= Begins && ticks < Ends;
}

/// <summary>The days and months of one time zone. Which day it is costs nothing but once a day.</summary>
internal sealed class Calendar(TimeZoneInfo zone)
{
    // Clocks everywhere differ from UTC by whole quarters of an hour, and are put forward and back at such times: a date can change
    // at no other.
    private const long Quarter = 15 * TimeSpan.TicksPerMinute;

    private volatile CivilDay? _today;

    public static Calendar Utc { get; } = new(TimeZoneInfo.Utc);

    /// <summary>The day that it is there.</summary>
    /// <param name="ticks">Now, UTC.</param>
    public CivilDay DayAt(long ticks)
    {
        var known = _today;
        return known is not null && known.Holds(ticks) ? known : _today = Find(ticks);
    }

    /// <summary>When the month of a day ends there.</summary>
    public DateTimeOffset EndOfMonth(CivilDay day)
    {
        var first = new DateOnly(day.Date.Year, day.Date.Month, 1).AddMonths(1);

        // No clock is further from UTC than 14 hours. What the first quarter of an hour of that month is called may be 01:00.
        var ticks = first.ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc).Ticks - (14 * TimeSpan.TicksPerHour);
        while (DateAt(ticks) < first)
        {
            ticks += Quarter;
        }

        return new DateTimeOffset(ticks, TimeSpan.Zero);
    }

    private CivilDay Find(long ticks)
    {
        var at = ticks - (ticks % Quarter);
        var date = DateAt(at);
        var begins = at;
        while (begins >= Quarter && DateAt(begins - Quarter) == date)
        {
            begins -= Quarter;
        }

        var ends = at + Quarter;
        while (DateAt(ends) == date)
        {
            ends += Quarter;
        }

        return new CivilDay(date, begins, ends);
    }

    private DateOnly DateAt(long ticks) => DateOnly.FromDateTime(TimeZoneInfo.ConvertTimeFromUtc(new DateTime(ticks, DateTimeKind.Utc), zone));
}
