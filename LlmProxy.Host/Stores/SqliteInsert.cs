using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace LlmProxy.Host.Stores;

/// <summary>
/// One statement that is run for many rows, its values bound by their number. <see cref="SqliteCommand"/> looks each parameter up by its
/// name each time, which for a row of the ledger took longer than all else of it. What is the same as in the row before stays bound.
/// </summary>
internal sealed class SqliteInsert : IDisposable
{
    private const int MostBytesOfChar = 3;

    private readonly sqlite3 _database;
    private readonly sqlite3_stmt _statement;
    private object?[] _bound = [];
    private byte[] _text = new byte[1024];

    /// <param name="connection">In a transaction: what is run here waits for nobody.</param>
    /// <param name="sql">With <c>$0, $1, …</c> for the values, each once and in this order: that is how they are numbered.</param>
    public SqliteInsert(SqliteConnection connection, string sql)
    {
        _database = connection.Handle!;
        SqliteException.ThrowExceptionForRC(raw.sqlite3_prepare_v2(_database, sql, out _statement), _database);
    }

    /// <summary>Runs it once.</summary>
    /// <param name="values">A <see cref="string"/>, a <see cref="long"/> or <see cref="DBNull"/> for each place.</param>
    /// <returns>How many rows it changed.</returns>
    public int Execute(ReadOnlySpan<object> values)
    {
        if (_bound.Length < values.Length)
        {
            _bound = new object?[values.Length];
        }

        for (var i = 0; i < values.Length; i++)
        {
            var value = values[i];
            if (!IsSame(_bound[i], value))
            {
                _bound[i] = null;
                SqliteException.ThrowExceptionForRC(Bind(i + 1, value), _database);
                _bound[i] = value;
            }
        }

        var code = raw.sqlite3_step(_statement);
        raw.sqlite3_reset(_statement);
        if (code != raw.SQLITE_DONE)
        {
            SqliteException.ThrowExceptionForRC(code, _database);
        }

        return raw.sqlite3_changes(_database);
    }

    public void Dispose() => _statement.Dispose();

    private static bool IsSame(object? bound, object value) =>
        ReferenceEquals(bound, value)
        || (value is string text ? bound is string other && other == text : value is long number && bound is long another && another == number);

    private int Bind(int place, object value) => value switch
    {
        DBNull => raw.sqlite3_bind_null(_statement, place),
        long number => raw.sqlite3_bind_int64(_statement, place, number),
        string text => BindText(place, text),
        _ => throw new ArgumentException($"A column cannot be a {value.GetType()}.", nameof(value)),
    };

    private int BindText(int place, string text)
    {
        if (text.Length == 0)
        {
            // No bytes at all would be NULL.
            return raw.sqlite3_bind_text(_statement, place, "");
        }

        if (_text.Length < text.Length * MostBytesOfChar)
        {
            _text = new byte[text.Length * MostBytesOfChar];
        }

        return raw.sqlite3_bind_text(_statement, place, _text.AsSpan(0, Encoding.UTF8.GetBytes(text, _text)));
    }
}
