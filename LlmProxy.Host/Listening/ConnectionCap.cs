using Microsoft.AspNetCore.Connections;

namespace LlmProxy.Host.Listening;

/// <summary>
/// Closes connections that the limit of open files has no room for. The server's own limit counts each address by itself;
/// this one counts them together.
/// </summary>
internal sealed partial class ConnectionCap(int most, TimeProvider time, ILogger<ConnectionCap> logger)
{
    private static readonly TimeSpan _betweenLines = TimeSpan.FromMinutes(1);

    private int _open;
    private long _nextLine = time.GetTimestamp();

    public ConnectionDelegate Limit(ConnectionDelegate next) => connection =>
    {
        if (Interlocked.Increment(ref _open) <= most)
        {
            return RunAsync(next, connection);
        }

        Interlocked.Decrement(ref _open);
        Tell();
        connection.Abort();
        return Task.CompletedTask;
    };

    private async Task RunAsync(ConnectionDelegate next, ConnectionContext connection)
    {
        try
        {
            await next(connection);
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }

    private void Tell()
    {
        var (now, due) = (time.GetTimestamp(), Volatile.Read(ref _nextLine));
        var next = now + (long)(_betweenLines.TotalSeconds * time.TimestampFrequency);
        if (now >= due && Interlocked.CompareExchange(ref _nextLine, next, due) == due)
        {
            Log.Full(logger, most);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Connections are closed at once: {Most} are open, for which the limit of open files has room. Told once a minute.")]
        public static partial void Full(ILogger logger, int most);
    }
}
