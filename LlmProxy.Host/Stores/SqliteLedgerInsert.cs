using LlmProxy.Core.Accounting;
using Microsoft.Data.Sqlite;

namespace LlmProxy.Host.Stores;

/// <summary>
/// The statements that write rows of the ledger. Kept with their connection: to make them takes as long as to write several rows.
/// </summary>
/// <remarks>
/// Many rows go in by one statement: for each statement anew SQLite opens all B-trees of the table and closes them, which is a fifth of
/// what a row takes. <c>OR FAIL</c>: what a statement did before it failed is undone by its transaction, it need not keep what was there.
/// </remarks>
internal sealed class SqliteLedgerInsert(SqliteConnection connection) : IDisposable
{
    /// <summary>Rows of one statement. With more the gain is small; each of its values is looked at again when it is made.</summary>
    public const int Together = 20;

    private readonly SqliteInsert _many = new(connection, Sql(Together));
    private readonly SqliteInsert _one = new(connection, Sql(1));

    /// <summary>Writes rows, quickly.</summary>
    /// <returns>False: some are there already, and which of them cannot be told. What was written must be undone then.</returns>
    public bool TryWrite(IReadOnlyList<LedgerRow> rows)
    {
        _many.Begin();
        var at = 0;
        for (; at + Together <= rows.Count; at += Together)
        {
            for (var i = at; i < at + Together; i++)
            {
                LedgerColumns.Write(rows[i], new SqliteColumns(_many));
            }

            if (_many.Execute() != Together)
            {
                return false;
            }
        }

        for (; at < rows.Count; at++)
        {
            if (!Write(rows[at]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Writes a row.</summary>
    /// <returns>False: it is there already.</returns>
    public bool Write(LedgerRow row)
    {
        _one.Begin();
        LedgerColumns.Write(row, new SqliteColumns(_one));
        return _one.Execute() > 0;
    }

    public void Dispose()
    {
        _many.Dispose();
        _one.Dispose();
    }

    private static string Sql(int rows)
    {
        var columns = LedgerColumns.Names.Length;
        var values = string.Join(", ", Enumerable.Range(0, rows).Select(row => $"({SqliteText.Places(columns, row * columns)})"));
        return $"INSERT OR FAIL INTO llmproxy_requests({LedgerColumns.List}) VALUES{values} ON CONFLICT(id) DO NOTHING";
    }
}
