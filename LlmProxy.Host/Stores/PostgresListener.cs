using Npgsql;

namespace LlmProxy.Host.Stores;

/// <summary>Listens to changes of keys for as long as it lives, with a connection of its own that is made again whenever it breaks.</summary>
internal sealed class PostgresListener(PostgresDatabase database, Action<string> told, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _end = new();
    private readonly Lock _lock = new();
    private Task? _listening;

    /// <summary>Begins, unless it has.</summary>
    public void Start()
    {
        if (_listening is null)
        {
            lock (_lock)
            {
                _listening ??= Task.Run(() => ListenAsync(_end.Token));
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        if (_listening is { } listening)
        {
            await listening;
        }

        _end.Dispose();
    }

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await using var connection = await database.OpenAsync(cancellationToken);
                connection.Notification += (_, notification) => told(notification.Payload);
                await using (var listen = new NpgsqlCommand($"LISTEN {await database.ChannelAsync(connection, cancellationToken)}", connection))
                {
                    await listen.ExecuteNonQueryAsync(cancellationToken);
                }

                while (true)
                {
                    await connection.WaitAsync(cancellationToken);
                }
            }
            catch (Exception) when (!cancellationToken.IsCancellationRequested)
            {
                // Those who read the store meet the same failure and tell of it; this only makes changes come sooner.
                await Task.Delay(_pause, time, CancellationToken.None);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }
}
