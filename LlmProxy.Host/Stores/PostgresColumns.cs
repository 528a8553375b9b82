using Npgsql;

namespace LlmProxy.Host.Stores;

/// <summary>The columns of a row as the parameters of a command, as <see cref="PostgresTypes"/> has them.</summary>
internal readonly struct PostgresColumns(NpgsqlParameterCollection parameters) : IColumnTarget
{
    public void Text(string? text) => Add(Columns.Text(text));

    public void Number(long? number) => Add(Columns.Number(number));

    public void Time(DateTimeOffset moment) => Add(PostgresTypes.Instance.Time(moment));

    public void Money(decimal? dollars) => Add(dollars is { } some ? some : DBNull.Value);

    public void Flag(bool value) => Add(value);

    private void Add(object value) => parameters.Add(new NpgsqlParameter { Value = value });
}
