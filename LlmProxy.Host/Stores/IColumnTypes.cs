using System.Data.Common;

namespace LlmProxy.Host.Stores;

/// <summary>What databases keep in different ways.</summary>
internal interface IColumnTypes
{
    /// <summary>US dollars.</summary>
    object Money(decimal dollars);

    decimal ReadMoney(DbDataReader row, int column);

    /// <summary>A moment, to the microsecond.</summary>
    object Time(DateTimeOffset moment);

    DateTimeOffset ReadTime(DbDataReader row, int column);

    object Flag(bool value);

    bool ReadFlag(DbDataReader row, int column);
}
