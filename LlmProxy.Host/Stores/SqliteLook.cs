using Microsoft.Data.Sqlite;

namespace LlmProxy.Host.Stores;

/// <summary>
/// Whether a database has changed since a connection looked last, for who looks again and again: it costs a tenth of reading what may
/// have changed. Only what other connections write, of this process or another, is seen as a change.
/// </summary>
internal sealed class SqliteLook : IDisposable
{
    private readonly SqliteCommand _command;

    /// <param name="connection">Whose look it is.</param>
    public SqliteLook(SqliteConnection connection)
    {
        _command = connection.CreateCommand();
        _command.CommandText = "PRAGMA data_version";
        _command.Prepare();
    }

    /// <summary>What <see cref="Version"/> was when all was read last; null: it is to be read in any case.</summary>
    public long? SeenVersion { get; set; }

    /// <summary>To which revision it was read.</summary>
    public long SeenRevision { get; set; }

    /// <summary>Another number whenever something was written; of this connection only.</summary>
    public long Version() => (long)_command.ExecuteScalar()!;

    public void Dispose() => _command.Dispose();
}
