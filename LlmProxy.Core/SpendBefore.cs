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

    private readonly CancellationTokenSource _stopping = new();

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
        await Task.WhenAny(reading, Task.Delay(_longestWait, cancellationToken));
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
            foreach (var spend in await ledger.ReadSpendAsync(Windows(DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime)), _stopping.Token))
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
    }
}
