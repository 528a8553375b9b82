using System.Diagnostics.Metrics;
using LlmProxy.Core;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace LlmProxy.Host.Serving;

/// <summary>
/// Metrics for Prometheus always (they are aggregated in memory and only written out when something scrapes); metrics and
/// traces by OTLP where the standard variables name a receiver.
/// </summary>
internal static class TelemetryExport
{
    private const string ServiceName = "llmproxy";

    /// <summary>The server's own: connections, and by reason those that never became a request of ours.</summary>
    private const string ServerMeter = "Microsoft.AspNetCore.Server.Kestrel";

    // Room for every series of an instrument is taken beforehand, 72 bytes for each of 2,000 unless fewer are said to come. What comes
    // beyond is one series, marked as overflow.
    private const int SeriesOfOthers = 100;

    /// <summary>Our instruments that cannot have so many, by how their names begin.</summary>
    private static readonly (string Name, int Series)[] _few =
    [
        // Without labels, or by operation alone.
        ("llmproxy.ledger.", 20), ("llmproxy.records.", 20), ("llmproxy.config.", 20), ("llmproxy.requests.active", 20), ("llmproxy.overhead.duration", 20),

        // By upstream, and by upstream and error.
        ("llmproxy.streams.", 200), ("llmproxy.upstream.state", 200), ("llmproxy.upstream.auth_failures", 200), ("llmproxy.upstream.", 1000),
    ];

    public static void Add(IServiceCollection services)
    {
        var telemetry = services.AddOpenTelemetry();
        if (!IsSet("OTEL_SERVICE_NAME") && !IsSet("OTEL_RESOURCE_ATTRIBUTES"))
        {
            telemetry.ConfigureResource(static resource => resource.AddService(ServiceName, serviceVersion: ProductVersion.Short));
        }

        telemetry.WithMetrics(static metrics =>
        {
            metrics.AddMeter(LlmProxyTelemetry.MeterName, ServerMeter).AddRuntimeInstrumentation().AddPrometheusExporter();
            metrics.AddView(static instrument => MostSeries(instrument) is { } most ? new MetricStreamConfiguration { CardinalityLimit = most } : null);
            if (IsReceived("METRICS"))
            {
                metrics.AddOtlpExporter();
            }
        });

        // Without a receiver nothing listens to the source, and then no activity is ever made.
        if (IsReceived("TRACES"))
        {
            telemetry.WithTracing(static traces => traces.AddSource(LlmProxyTelemetry.ActivitySourceName).AddOtlpExporter());
        }
    }

    private static int? MostSeries(Instrument instrument)
    {
        if (instrument.Meter.Name != LlmProxyTelemetry.MeterName)
        {
            return SeriesOfOthers;
        }

        foreach (var (name, series) in _few)
        {
            if (instrument.Name.StartsWith(name, StringComparison.Ordinal))
            {
                return series;
            }
        }

        return null;
    }

    private static bool IsReceived(string signal) => IsSet("OTEL_EXPORTER_OTLP_ENDPOINT") || IsSet($"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");

    private static bool IsSet(string variable) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable));
}
