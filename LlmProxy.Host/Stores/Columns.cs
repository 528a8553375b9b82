using System.Data.Common;
using System.Globalization;

namespace LlmProxy.Host.Stores;

/// <summary>Reads columns that may be empty, and those that all databases keep alike.</summary>
internal static class Columns
{
    private const string DayFormat = "yyyy-MM-dd";
    private const long TicksPerMicrosecond = TimeSpan.TicksPerMillisecond / 1000;

    private static volatile KnownDay? _lastDay;

    public static object Text(string? text) => text is null ? DBNull.Value : StoredText.Of(text);

    public static object Number(long? number) => number is { } some ? some : DBNull.Value;

    public static long? Microseconds(TimeSpan? span) => span is { } some ? some.Ticks / TicksPerMicrosecond : null;

    // Nearly all rows that are written are of one day or two.
    public static string Day(DateOnly day)
    {
        var known = _lastDay;
        if (known?.Day != day)
        {
            _lastDay = known = new KnownDay(day, day.ToString(DayFormat, CultureInfo.InvariantCulture));
        }

        return known.Text;
    }

    public static string? ReadText(DbDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    public static long? ReadNumber(DbDataReader row, int column) => row.IsDBNull(column) ? null : row.GetInt64(column);

    public static TimeSpan? ReadSpan(DbDataReader row, int column) =>
        row.IsDBNull(column) ? null : TimeSpan.FromTicks(row.GetInt64(column) * TicksPerMicrosecond);

    public static DateOnly ReadDay(DbDataReader row, int column) => DateOnly.ParseExact(row.GetString(column), DayFormat, CultureInfo.InvariantCulture);

    public static DateTimeOffset? ReadTime(DbDataReader row, int column, IColumnTypes types) =>
        row.IsDBNull(column) ? null : types.ReadTime(row, column);

    private sealed record KnownDay(DateOnly Day, string Text);
}
