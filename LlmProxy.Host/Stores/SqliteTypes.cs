using System.Data.Common;

namespace LlmProxy.Host.Stores;

/// <summary>
/// Moments as microseconds since 1970, and money as whole ten-billionths of a dollar: exact for prices of up to four decimals per million
/// tokens, sums included, up to 900 million dollars. SQLite has no decimal type; its real numbers would drift.
/// </summary>
internal sealed class SqliteTypes : IColumnTypes
{
    private const decimal UnitsPerDollar = 10_000_000_000m;
    private const int Decimals = 10;
    private const decimal Most = 900_000_000m;
    private const long TicksPerMicrosecond = TimeSpan.TicksPerMillisecond / 1000;

    public static SqliteTypes Instance { get; } = new();

    public object Money(decimal dollars) => Units(dollars);

    // Most rows cost their operator nothing.
    public static long Units(decimal dollars) => dollars == 0 ? 0 : (long)decimal.Round(Math.Clamp(dollars, -Most, Most) * UnitsPerDollar);

    public static decimal Dollars(long units) => units / UnitsPerDollar;

    /// <summary>Money as it will be read again.</summary>
    public static decimal Rounded(decimal dollars) => dollars.Scale <= Decimals && Math.Abs(dollars) < Most ? dollars : Dollars(Units(dollars));

    public decimal ReadMoney(DbDataReader row, int column) => Dollars(row.GetInt64(column));

    public object Time(DateTimeOffset moment) => Microseconds(moment);

    public static long Microseconds(DateTimeOffset moment) => (moment.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) / TicksPerMicrosecond;

    public DateTimeOffset ReadTime(DbDataReader row, int column) => DateTimeOffset.UnixEpoch.AddTicks(row.GetInt64(column) * TicksPerMicrosecond);

    public object Flag(bool value) => value ? 1L : 0L;

    public bool ReadFlag(DbDataReader row, int column) => row.GetInt64(column) != 0;
}
