using System.Diagnostics.Metrics;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;

namespace LlmProxy.Tests.Accounting;

/// <summary>The folder as the root registers it, with a fake clock, a fake log and the sinks of a test.</summary>
internal sealed class Books : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    public Books(LogLevel requests = LogLevel.None, params IRecordSink[] sinks)
    {
        var services = new ServiceCollection();
        services.AddLogging(log => log
            .AddFilter(LoggerRecordSink.Category, requests)
            .AddFakeLogging());
        services.AddSingleton<TimeProvider>(Time);
        foreach (var sink in sinks)
        {
            services.AddSingleton(sink);
        }

        _services = services.AddAccounting().BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true });
        Accountant = _services.GetRequiredService<Accountant>();
        Writer = _services.GetRequiredService<RecordWriter>();
    }

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 11, 20, 8, 0, 0, TimeSpan.Zero));

    public Accountant Accountant { get; }

    public RecordWriter Writer { get; }

    public IReadOnlyList<FakeLogRecord> Logged => _services.GetFakeLogCollector().GetSnapshot();

    public MetricCollector<T> Collect<T>(string name)
        where T : struct => new(_services.GetRequiredService<IMeterFactory>(), LlmProxyTelemetry.MeterName, name, Time);

    /// <summary>The values that an observed instrument gives now, by their labels' values, "" for none.</summary>
    public IReadOnlyDictionary<string, T> Observe<T>(string name)
        where T : struct
    {
        using var collector = Collect<T>(name);
        collector.RecordObservableInstruments();
        return collector.GetMeasurementSnapshot()
            .ToDictionary(static at => string.Join(' ', at.Tags.OrderByDescending(static tag => tag.Key).Select(static tag => tag.Value)), static at => at.Value);
    }

    public Task StopAsync() => Writer.StoppedAsync(CancellationToken.None);

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}
