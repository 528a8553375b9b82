using Npgsql;

namespace LlmProxy.Host.Stores;

/// <summary>
/// A few connections to a PostgreSQL server, or to what speaks like one. Nothing happens before the first use, so that an instance
/// starts without it; the tables are looked after then.
/// </summary>
internal sealed class PostgresDatabase : IAsyncDisposable
{
    /// <summary>One each for rows, keys, limits and what notifies; the others for reports. A hundred replicas are still no burden.</summary>
    private const int MostConnections = 6;

    private const int ConnectSeconds = 5;
    private const int CommandSeconds = 30;

    private readonly SemaphoreSlim _preparing = new(1);
    private readonly NpgsqlDataSource _source;
    private volatile bool _isPrepared;

    public PostgresDatabase(string connectionString)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        // What the operator says goes.
        Default("Maximum Pool Size", () => settings.MaxPoolSize = MostConnections);
        Default("Timeout", () => settings.Timeout = ConnectSeconds);
        Default("Command Timeout", () => settings.CommandTimeout = CommandSeconds);
        Default("Keepalive", () => settings.KeepAlive = CommandSeconds);
        Default("Application Name", () => settings.ApplicationName = "llmproxy");
        settings.Enlist = false;
        var builder = new NpgsqlSlimDataSourceBuilder(settings.ToString());
        builder.EnableTransportSecurity().EnableArrays();
        _source = builder.Build();

        void Default(string name, Action set)
        {
            if (!settings.ContainsKey(name) || !settings.ShouldSerialize(name))
            {
                set();
            }
        }
    }

    /// <summary>A connection to a database whose tables are there.</summary>
    public async ValueTask<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        if (!_isPrepared)
        {
            await PrepareAsync(cancellationToken);
        }

        return await _source.OpenConnectionAsync(cancellationToken);
    }

    /// <summary>Makes the tables, or brings them to the newest version.</summary>
    /// <exception cref="RefusedException">They are from a newer program than this can work with.</exception>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await _preparing.WaitAsync(cancellationToken);
        try
        {
            if (!_isPrepared)
            {
                await PostgresSchema.MigrateAsync(_source, cancellationToken);
                _isPrepared = true;
            }
        }
        finally
        {
            _preparing.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        _preparing.Dispose();
    }
}
