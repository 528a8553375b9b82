using System.Globalization;

namespace LlmProxy.Core.Configuration;

/// <summary>When something ends, as it was written.</summary>
/// <param name="At">The instant, UTC; of a day its end there.</param>
/// <param name="Day">The day, where no more than that was written.</param>
internal readonly record struct EndTime(DateTimeOffset At, DateOnly? Day);

/// <summary>
/// A day, or an instant that says how far its clock is from UTC. A time without that is refused: it would be another one on
/// another machine.
/// </summary>
internal sealed class EndTimeShape : TextualShape<EndTime>
{
    private const string Day = "yyyy-MM-dd";
    private static readonly string[] _instants = ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFzzz", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", "yyyy-MM-dd'T'HH:mmzzz", "yyyy-MM-dd'T'HH:mm'Z'"];

    public static EndTimeShape Instance { get; } = new();

    public override string Expected => "a day such as \"2027-06-30\" or an instant such as \"2027-06-30T18:00:00Z\"";

    protected override string? Understand(string text, string shown, out EndTime value)
    {
        value = default;
        if (DateOnly.TryParseExact(text, Day, CultureInfo.InvariantCulture, DateTimeStyles.None, out var day) && day < DateOnly.MaxValue)
        {
            value = new EndTime(TimeZones.EndOf(day, TimeZoneInfo.Utc), day);
            return null;
        }

        if (DateTimeOffset.TryParseExact(text, _instants, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at))
        {
            value = new EndTime(at.ToUniversalTime(), null);
            return null;
        }

        return $"{Problems.Quote(shown)} is not {Expected}.";
    }
}
