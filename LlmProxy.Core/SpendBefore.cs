using LlmProxy.Core.Accounting;
using LlmProxy.Core.Admission;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmProxy.Core;

/// <summary>
/// Goes on with budgets where the process before has left them: the ledger says what was spent. As long as it cannot be asked, requests
/// with a budget are refused, for they might spend a month's money twice.
/// </summary>
internal sealed partial class SpendBefore(Ledger ledger, Meters meters, ProxyMetrics metrics, LlmProxySnapshots snapshots, TimeProvider time, ILogger<SpendBefore> logger) : IHostedService, IDisposable
{
    // A store that is there answers sooner. One that is not must not keep the server from starting.
    private static readonly TimeSpan _longestWait = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stopping = new();
    private readonly LogPace _faults = new(time);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        metrics.ObserveBudgets(Left);

        // Where limits are shared, the store that shares them knows what all replicas have used.
        if (!ledger.IsOn || meters.Sharing is not null)
        {
            return;
        }

        meters.AwaitSpend();
        var reading = ReadAsync();
        await Task.WhenAny(reading, Task.Delay(_longestWait, time, cancellationToken));
        if (!reading.IsCompleted)
        {
            Log.Waits(logger);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => _stopping.CancelAsync();

    public void Dispose() => _stopping.Dispose();

    private async Task ReadAsync()
    {
        try
        {
            foreach (var spend in await ReadAllAsync())
            {
                meters.Add(spend.Meter, spend.Window, spend.Cost);
            }

            meters.SpendIsKnown();
        }
        catch (OperationCanceledException)
        {
            // It stops.
        }
    }

    /// <summary>All of it, before any is counted: what breaks in the middle is read again, and nothing is counted twice.</summary>
    private async Task<Spend[]> ReadAllAsync()
    {
        while (true)
        {
            try
            {
                var spends = await ledger.ReadSpendAsync(Windows(DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime)), _stopping.Token);
                return [.. spends.Where(static spend => spend.Meter is not null)];
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                if (_faults.TryPass())
                {
                    Log.Failed(logger, e);
                }

                await Task.Delay(_pause, time, _stopping.Token);
            }
        }
    }

    /// <summary>What the groups of the configuration have left; those of a store are not listed, for they come and go.</summary>
    private IEnumerable<(string Group, string Window, double Left)> Left()
    {
        var (current, states) = (snapshots.Current, new LimitStates(meters));
        foreach (var name in current.Options.Groups.Keys)
        {
            foreach (var state in current.Keys.FindGroup(name) is { } group ? states.OfGroup(group) : [])
            {
                if (state.Dimension >= Dimension.Day)
                {
                    yield return (name, LlmProxyLimits.Of(state).Window, (double)state.Left);
                }
            }
        }
    }

    // Somewhere it is still yesterday or already tomorrow.
    private static HashSet<string> Windows(DateOnly today) => [.. Enumerable.Range(-1, 3).SelectMany(days => LedgerRow.Windows(today.AddDays(days)))];

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "What was spent before could not be read from the ledger yet. Requests with a budget are refused until it is.")]
        public static partial void Waits(ILogger logger);

        [LoggerMessage(2, LogLevel.Error, "The ledger's answer to what was spent before cannot be used; it is asked again. Until then requests with a budget are refused. Told once a minute.")]
        public static partial void Failed(ILogger logger, Exception fault);
    }
}
