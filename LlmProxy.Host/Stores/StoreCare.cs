using System.Diagnostics.Metrics;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;

namespace LlmProxy.Host.Stores;

/// <summary>
/// What a store needs beside its use: a look at its file after a crash, ended windows forgotten. It also says in the log and in metrics
/// how the store is.
/// </summary>
internal sealed partial class StoreCare : BackgroundService
{
    /// <summary>How often.</summary>
    private static readonly TimeSpan _step = TimeSpan.FromMinutes(5);

    private readonly string _data;
    private readonly ILedgerStore _ledger;
    private readonly PostgresLimitStore? _limits;
    private readonly StoreHealth _health;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private RunMark? _mark;

    /// <param name="data">The data directory.</param>
    /// <param name="services">The app's.</param>
    public StoreCare(string data, IServiceProvider services)
    {
        _data = data;
        _ledger = services.GetRequiredService<ILedgerStore>();
        _limits = services.GetService<PostgresLimitStore>();
        _health = services.GetRequiredService<StoreHealth>();
        _time = services.GetRequiredService<TimeProvider>();
        _logger = services.GetRequiredService<ILogger<StoreCare>>();
        services.GetRequiredService<IMeterFactory>().Create(LlmProxyTelemetry.MeterName)
            .CreateObservableCounter("llmproxy.store.failures", () => _health.Failures, "{failure}", "What the store was asked for and did not do.");
        _health.Changed = trouble =>
        {
            if (trouble is not null)
            {
                Log.Trouble(_logger, trouble.Problem);
            }
            else
            {
                Log.Back(_logger);
            }
        };
    }

    /// <exception cref="RefusedException">Too many have the data directory in use.</exception>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        _mark = RunMark.Set(_data);
        return base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        // With the app, when nothing is written any more: it ended in order.
        _mark?.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            if (_mark is { IsAfterCrash: true } && _ledger is SqliteLedgerStore file)
            {
                await TryAsync(() => CheckAsync(file, stoppingToken));
            }

            using var timer = new PeriodicTimer(_step, _time);
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                if (_limits is not null)
                {
                    await TryAsync(() => _limits.ForgetAsync(stoppingToken));
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
        var began = _time.GetTimestamp();
        if (await file.CheckAsync(thoroughly: false, cancellationToken) is { Count: > 0 } found)
        {
            _health.Damaged(found);
        }
        else
        {
            Log.Whole(_logger, _time.GetElapsedTime(began));
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
            // Its health has been told; the next step tries again.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "The database was checked after an unclean stop, in {Duration}: it is whole.")]
        public static partial void Whole(ILogger logger, TimeSpan duration);

        [LoggerMessage(2, LogLevel.Error, "The store is in trouble: {Problem} Requests are served all the same; what they cost waits on disk.")]
        public static partial void Trouble(ILogger logger, string problem);

        [LoggerMessage(3, LogLevel.Information, "The store is back.")]
        public static partial void Back(ILogger logger);
    }
}
