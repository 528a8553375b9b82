using System.Buffers;
using System.Runtime.CompilerServices;
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
    private readonly Value[] _bound;
    private byte[] _text = new byte[1024];
    private int _next;

    /// <param name="connection">In a transaction: what is run here waits for nobody.</param>
    /// <param name="sql">With <c>$0, $1, …</c> for the values, each once and in this order: that is how they are numbered.</param>
    public SqliteInsert(SqliteConnection connection, string sql)
    {
        _database = connection.Handle!;
        SqliteException.ThrowExceptionForRC(raw.sqlite3_prepare_v2(_database, sql, out _statement), _database);
        _bound = new Value[raw.sqlite3_bind_parameter_count(_statement)];
    }

    private enum Kind : byte
    {
        /// <summary>Or NULL, as SQLite has it where nothing is bound.</summary>
        Text,
        Number,

        /// <summary>What was to be bound could not be.</summary>
        Unknown,
    }

    /// <summary>The next value. Goes in as every store can hold it (<see cref="StoredText"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(string? text)
    {
        // Nearly all are the very texts of the row before.
        ref var bound = ref _bound[_next++];
        if (!ReferenceEquals(bound.Text, text) || bound.Kind != Kind.Text)
        {
            Bind(ref bound, text);
        }
    }

    /// <summary>The next value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(long? number)
    {
        if (number is { } some)
        {
            Add(some);
        }
        else
        {
            Add((string?)null);
        }
    }

    /// <summary>The next value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(long number)
    {
        ref var bound = ref _bound[_next++];
        if (bound.Kind != Kind.Number || bound.Number != number)
        {
            Bind(ref bound, number);
        }
    }

    /// <summary>Runs it with the values that were added; those that come next are for its next run.</summary>
    /// <returns>How many rows it changed.</returns>
    public int Execute()
    {
        _next = 0;
        var code = raw.sqlite3_step(_statement);
        raw.sqlite3_reset(_statement);
        if (code != raw.SQLITE_DONE)
        {
            SqliteException.ThrowExceptionForRC(code, _database);
        }

        return raw.sqlite3_changes(_database);
    }

    /// <summary>Runs it once.</summary>
    /// <param name="values">A <see cref="string"/>, a <see cref="long"/> or <see cref="DBNull"/> for each place.</param>
    /// <returns>How many rows it changed.</returns>
    public int Execute(ReadOnlySpan<object> values)
    {
        Begin();
        foreach (var value in values)
        {
            switch (value)
            {
                case DBNull:
                    Add((string?)null);
                    break;
                case long number:
                    Add(number);
                    break;
                case string text:
                    Add(text);
                    break;
                default:
                    throw new ArgumentException($"A column cannot be a {value.GetType()}.", nameof(values));
            }
        }

        return Execute();
    }

    /// <summary>Forgets what was added for a run that never came.</summary>
    public void Begin() => _next = 0;

    public void Dispose() => _statement.Dispose();

    private void Bind(ref Value bound, string? text)
    {
        if (text is not null && bound.Text == text)
        {
            return;
        }

        bound = new Value(Kind.Unknown, null, 0);
        Check(text is null ? raw.sqlite3_bind_null(_statement, _next) : BindText(text));
        bound = new Value(Kind.Text, text, 0);
    }

    private void Bind(ref Value bound, long number)
    {
        bound = new Value(Kind.Unknown, null, 0);
        Check(raw.sqlite3_bind_int64(_statement, _next, number));
        bound = new Value(Kind.Number, null, number);
    }

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK)
        {
            SqliteException.ThrowExceptionForRC(code, _database);
        }
    }

    private int BindText(string text)
    {
        if (text.Length == 0)
        {
            // No bytes at all would be NULL.
            return raw.sqlite3_bind_text(_statement, _next, "");
        }

        if (_text.Length < text.Length * MostBytesOfChar)
        {
            _text = new byte[text.Length * MostBytesOfChar];
        }

        // Nearly all are plain, as ids are: those can be held everywhere as they are.
        if (Ascii.FromUtf16(text, _text, out var length) != OperationStatus.Done || _text.AsSpan(0, length).Contains((byte)0))
        {
            length = Encoding.UTF8.GetBytes(StoredText.Of(text), _text);
        }

        return raw.sqlite3_bind_text(_statement, _next, _text.AsSpan(0, length));
    }

    private readonly record struct Value(Kind Kind, string? Text, long Number);
}
