using System.Diagnostics.Metrics;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;

namespace LlmProxy.Host.Stores;

/// <summary>
/// What a store needs beside its use: a look at its file after a crash, ended windows forgotten, a try whether it takes anything where
/// nothing has been written for a while. It also says in the log and in metrics how the store is.
/// </summary>
internal sealed partial class StoreCare : BackgroundService
{
    /// <summary>How often it is tried again whether a store takes something that did not.</summary>
    private static readonly TimeSpan _step = TimeSpan.FromSeconds(5);

    /// <summary>Steps between two times that windows are forgotten, and that a store is tried that seems well.</summary>
    private const int Round = 60;

    private readonly string _data;
    private readonly ILedgerStore _ledger;
    private readonly PostgresLimitStore? _limits;
    private readonly PostgresDatabase? _database;
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
        _database = services.GetService<PostgresDatabase>();
        _health = services.GetRequiredService<StoreHealth>();
        _time = services.GetRequiredService<TimeProvider>();
        _logger = services.GetRequiredService<ILogger<StoreCare>>();
        var meter = services.GetRequiredService<IMeterFactory>().Create(LlmProxyTelemetry.MeterName);
        meter.CreateObservableCounter("llmproxy.store.failures", () => _health.Failures, "{failure}", "What the store was asked for and did not do.");
        meter.CreateObservableGauge("llmproxy.store.trouble", Troubles, "{trouble}", "1 while the store cannot be read, or takes nothing, else 0.");
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
            for (var step = 1; ; step++)
            {
                // At the start as well: who looks should see a store that takes nothing before the first row waits for it.
                if (step == 1 || step % Round == 0 || _health.IsWritingInTrouble)
                {
                    await TryAsync(() => ProbeAsync(stoppingToken));
                }

                if (_limits is not null && step % Round == 0)
                {
                    await TryAsync(() => _limits.ForgetAsync(stoppingToken));
                }

                await timer.WaitForNextTickAsync(stoppingToken);
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

    private Task ProbeAsync(CancellationToken cancellationToken) =>
        _database?.ProbeAsync(cancellationToken) ?? (_ledger as SqliteLedgerStore)?.ProbeAsync(cancellationToken) ?? Task.CompletedTask;

    private Measurement<int>[] Troubles() =>
    [
        new(_health.IsReadingInTrouble ? 1 : 0, new KeyValuePair<string, object?>("operation", "read")),
        new(_health.IsWritingInTrouble ? 1 : 0, new KeyValuePair<string, object?>("operation", "write")),
    ];

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
