using LlmProxy.Core.Accounting;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Host.Stores;

/// <summary>What a store needs now and then: a look at its file after a crash, old rows deleted, ended windows forgotten.</summary>
/// <param name="checksAtStart">Whether the file is looked at: whoever wrote to it last did not end by itself.</param>
/// <param name="keepDays">How many days rows are kept; null: for ever.</param>
/// <param name="ledger">The rows.</param>
/// <param name="limits">Where limits are shared; null: nowhere.</param>
/// <param name="health">Is told what was found.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">The log.</param>
internal sealed partial class StoreCare(
    bool checksAtStart, int? keepDays, ILedgerStore ledger, PostgresLimitStore? limits, StoreHealth health, TimeProvider time, ILogger<StoreCare> logger) : BackgroundService
{
    /// <summary>How often.</summary>
    private static readonly TimeSpan _step = TimeSpan.FromMinutes(5);

    /// <summary>Rows are deleted once in so many steps: hourly.</summary>
    private const int StepsPerDeletion = 12;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            if (checksAtStart && ledger is SqliteLedgerStore file)
            {
                await TryAsync(() => CheckAsync(file, stoppingToken));
            }

            using var timer = new PeriodicTimer(_step, time);
            for (var step = 0; await timer.WaitForNextTickAsync(stoppingToken); step++)
            {
                if (limits is not null)
                {
                    await TryAsync(() => limits.ForgetAsync(stoppingToken));
                }

                if (keepDays is { } days && step % StepsPerDeletion == 0)
                {
                    await TryAsync(() => DeleteAsync(days, stoppingToken));
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // It stops.
        }
    }

    private async Task CheckAsync(SqliteLedgerStore file, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        if (await file.CheckAsync(thoroughly: false, cancellationToken) is { Count: > 0 } found)
        {
            health.Damaged(found);
        }
        else
        {
            Log.Whole(logger, time.GetElapsedTime(began));
        }
    }

    private async Task DeleteAsync(int days, CancellationToken cancellationToken)
    {
        var before = time.GetUtcNow().AddDays(-days);
        if (await ledger.DeleteBeforeAsync(before, cancellationToken) is > 0 and var rows)
        {
            Log.Deleted(logger, rows, before);
        }
    }

    private static async Task TryAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Said by the store's health already; the next step tries again.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "The database was checked after an unclean stop, in {Duration}: it is whole.")]
        public static partial void Whole(ILogger logger, TimeSpan duration);

        [LoggerMessage(2, LogLevel.Information, "{Rows} rows of the ledger from before {Before} were deleted.")]
        public static partial void Deleted(ILogger logger, int rows, DateTimeOffset before);
    }
}
