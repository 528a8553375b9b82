using System.Data.Common;

namespace LlmProxy.Host.Stores;

/// <summary>Moments as <c>timestamptz</c>, money as <c>numeric</c>.</summary>
internal sealed class PostgresTypes : IColumnTypes
{
    public static PostgresTypes Instance { get; } = new();

    public object Money(decimal dollars) => dollars;

    public decimal ReadMoney(DbDataReader row, int column) => row.GetDecimal(column);

    public object Time(DateTimeOffset moment) => moment.UtcDateTime;

    public DateTimeOffset ReadTime(DbDataReader row, int column) => new(DateTime.SpecifyKind(row.GetDateTime(column), DateTimeKind.Utc));

    public object Flag(bool value) => value;

    public bool ReadFlag(DbDataReader row, int column) => row.GetBoolean(column);
}
