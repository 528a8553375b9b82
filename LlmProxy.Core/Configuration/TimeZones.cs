namespace LlmProxy.Core.Configuration;

/// <summary>Time zones by the names of the IANA database, and where their days begin.</summary>
internal static class TimeZones
{
    private const int LongestName = 64;

    /// <summary>The zone of this name; false if the machine does not know it.</summary>
    public static bool TryFind(string name, out TimeZoneInfo zone)
    {
        zone = TimeZoneInfo.Utc;

        // The name becomes that of a file, and nobody is to be led elsewhere by it.
        var isName = name.Length is > 0 and <= LongestName && char.IsAsciiLetter(name[0])
            && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '/' or '_' or '-' or '+');
        if (!isName || !TimeZoneInfo.TryFindSystemTimeZoneById(name, out var found))
        {
            return false;
        }

        zone = found;
        return true;
    }

    /// <summary>The zone that counts for something: the first of these names that is given, else UTC. The names have been checked.</summary>
    public static TimeZoneInfo Of(params ReadOnlySpan<string?> names)
    {
        foreach (var name in names)
        {
            if (name is not null)
            {
                return TryFind(name, out var zone) ? zone : TimeZoneInfo.Utc;
            }
        }

        return TimeZoneInfo.Utc;
    }

    /// <summary>The first instant of a day there, UTC. Where clocks skip midnight it is the moment after that.</summary>
    public static DateTimeOffset StartOf(DateOnly day, TimeZoneInfo zone)
    {
        var midnight = day.ToDateTime(TimeOnly.MinValue);
        if (zone.IsInvalidTime(midnight))
        {
            // Skipped: by the offset from before, it is the moment at which the clocks are put forward.
            return Utc(midnight, zone.GetUtcOffset(midnight.AddHours(-3)));
        }

        if (!zone.IsAmbiguousTime(midnight))
        {
            return Utc(midnight, zone.GetUtcOffset(midnight));
        }

        // It comes twice; the day begins with the first.
        return Utc(midnight, zone.GetAmbiguousTimeOffsets(midnight).Max());
    }

    /// <summary>The first instant after a day there, UTC.</summary>
    public static DateTimeOffset EndOf(DateOnly day, TimeZoneInfo zone) => StartOf(day.AddDays(1), zone);

    /// <summary>What is wrong with a name that <see cref="TryFind"/> does not know.</summary>
    public static string Advise(string name)
    {
        var known = TimeZoneInfo.GetSystemTimeZones().Select(static z => z.Id).ToList();
        if (known.Count <= 1)
        {
            return "This machine has no time zone database: install it (tzdata), or leave TimeZone out for UTC.";
        }

        return NearestName.Find(name, known) is { } nearest
            ? $"Did you mean {Problems.Quote(nearest)}?"
            : "Write it as the IANA database does, for example \"Europe/Berlin\".";
    }

    private static DateTimeOffset Utc(DateTime local, TimeSpan offset) => new(DateTime.SpecifyKind(local, DateTimeKind.Utc) - offset, TimeSpan.Zero);
}
