namespace LlmProxy.Host.Stores;

/// <summary>The columns of a row as the values of a statement, as <see cref="SqliteTypes"/> has them.</summary>
internal readonly struct SqliteColumns(SqliteInsert insert) : IColumnTarget
{
    public void Text(string? text) => insert.Add(text);

    public void Number(long? number) => insert.Add(number);

    public void Time(DateTimeOffset moment) => insert.Add(SqliteTypes.Microseconds(moment));

    public void Money(decimal? dollars) => insert.Add(dollars is { } some ? SqliteTypes.Units(some) : (long?)null);

    public void Flag(bool value) => insert.Add(value ? 1L : 0L);
}
