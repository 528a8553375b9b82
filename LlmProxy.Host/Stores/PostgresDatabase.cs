using System.Security.Cryptography;
using System.Text;
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

    /// <summary>Rows, keys, limits and what notifies, and one report.</summary>
    private const int LeastConnections = 5;

    /// <summary>Of those that may take long: with all connections in the hands of reports no revocation would be seen, and no limit renewed.</summary>
    private const int MostReports = 2;

    private const int ConnectSeconds = 5;
    private const int CommandSeconds = 30;

    private readonly SemaphoreSlim _preparing = new(1);
    private readonly SemaphoreSlim _reports;
    private readonly NpgsqlDataSource _source;
    private readonly StoreHealth? _health;
    private volatile bool _isPrepared;
    private volatile string? _channel;

    /// <param name="connectionString">Npgsql's.</param>
    /// <param name="health">Is told how it goes.</param>
    /// <exception cref="RefusedException">It is none.</exception>
    public PostgresDatabase(string connectionString, StoreHealth? health = null)
    {
        _health = health;
        var settings = Read(connectionString);
        // What the operator says goes.
        Default("Maximum Pool Size", () => settings.MaxPoolSize = MostConnections);
        Default("Timeout", () => settings.Timeout = ConnectSeconds);
        Default("Command Timeout", () => settings.CommandTimeout = CommandSeconds);
        Default("Keepalive", () => settings.KeepAlive = CommandSeconds);
        Default("Application Name", () => settings.ApplicationName = "llmproxy");
        if (settings.MaxPoolSize < LeastConnections)
        {
            throw new RefusedException($"Store.ConnectionString: Maximum Pool Size is {settings.MaxPoolSize}, and at least {LeastConnections} are needed. Leave it out for {MostConnections}.");
        }

        _reports = new SemaphoreSlim(Math.Min(MostReports, settings.MaxPoolSize - LeastConnections + 1));
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

    /// <summary>A turn for something that may take long; taken before its connection, and given back after that.</summary>
    public async ValueTask<IDisposable> TakeTurnAsync(CancellationToken cancellationToken)
    {
        await _reports.WaitAsync(cancellationToken);
        return new Turn(_reports);
    }

    /// <summary>A connection to a database whose tables are there.</summary>
    public async ValueTask<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (!_isPrepared)
            {
                await PrepareAsync(cancellationToken);
            }

            var connection = await _source.OpenConnectionAsync(cancellationToken);
            _health?.Read();
            return connection;
        }
        catch (Exception e)
        {
            _health?.Failed(e);
            throw;
        }
    }

    /// <summary>Writes something, and tells whether that was possible: a standby opens connections, answers and takes nothing.</summary>
    public async ValueTask<T> WriteAsync<T>(Func<NpgsqlConnection, Task<T>> work, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        try
        {
            var result = await work(connection);
            _health?.Wrote();
            return result;
        }
        catch (Exception e)
        {
            _health?.FailedToWrite(e);
            if (e is PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction })
            {
                // Where another server has taken over, or this one takes something again, a new connection finds it.
                _source.Clear();
            }

            throw;
        }
    }

    /// <summary>Whether anything can be written now; its health is told.</summary>
    public async Task ProbeAsync(CancellationToken cancellationToken) =>
        await WriteAsync(connection => connection.ExecuteAsync("UPDATE llmproxy_schema SET version = version", [], cancellationToken), cancellationToken);

    /// <summary>
    /// The channel on which changes of keys are told: that of the schema in which the tables are, for two of them in one database have
    /// nothing to do with each other. Found once, with a connection that is open.
    /// </summary>
    public async ValueTask<string> ChannelAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (_channel is null)
        {
            await using var find = connection.Command(
                "SELECT schemaname FROM pg_catalog.pg_tables WHERE tablename = 'llmproxy_keys' AND schemaname = ANY(current_schemas(false)) "
                + "ORDER BY array_position(current_schemas(false), schemaname) LIMIT 1");
            // Hashed: a schema's name may be longer than a channel's, and have anything in it.
            var schema = (string)(await find.ExecuteScalarAsync(cancellationToken))!;
            _channel = "llmproxy_keys_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(schema)))[..16];
        }

        return _channel;
    }

    /// <summary>
    /// Whether the database can be used, and if so, brings it to the newest version. One that cannot be reached now is no reason not to
    /// start; one that would refuse for ever is.
    /// </summary>
    /// <returns>Null, or what is the matter for now.</returns>
    /// <exception cref="RefusedException">It cannot be used; the text says why.</exception>
    public async Task<string?> TryPrepareAsync(CancellationToken cancellationToken)
    {
        try
        {
            await PrepareAsync(cancellationToken);
            return null;
        }
        catch (PostgresException e) when (IsFinal(e.SqlState))
        {
            throw new RefusedException($"The store refuses: PostgreSQL {e.SqlState}, {e.MessageText}.");
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException or IOException or System.Net.Sockets.SocketException)
        {
            return $"PostgreSQL cannot be reached now ({(e as PostgresException)?.MessageText ?? "no connection"}). It is tried again; what requests cost waits on disk.";
        }
    }

    /// <summary>The version of the tables, which are left as they are; 0: there are none.</summary>
    /// <exception cref="RefusedException">They are from a newer program than this can work with.</exception>
    public async Task<int> ReadVersionAsync(CancellationToken cancellationToken)
    {
        await using var connection = await _source.OpenConnectionAsync(cancellationToken);
        return await PostgresSchema.ReadAsync(connection, cancellationToken);
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

    // Signing in, the name of the database, permissions: nothing that passes by itself.
    private static bool IsFinal(string state) =>
        state.StartsWith("28", StringComparison.Ordinal) || state is PostgresErrorCodes.InvalidCatalogName or PostgresErrorCodes.InsufficientPrivilege;

    private static NpgsqlConnectionStringBuilder Read(string connectionString)
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(connectionString);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            // Its text may show what stands there, and that is a secret.
            throw new RefusedException("Store.ConnectionString is none for PostgreSQL. Write \"Host=…;Username=…;Password=…;Database=…\".");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        _preparing.Dispose();
        _reports.Dispose();
    }

    private sealed class Turn(SemaphoreSlim reports) : IDisposable
    {
        public void Dispose() => reports.Release();
    }
}
