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

    /// <summary>
    /// How many series an instrument can have, by how its name begins. Room for all of them is taken beforehand, 72 bytes for each of
    /// 2,000 unless fewer are said to come; what came beyond would be one series, marked as overflow, and of what is observed show the last.
    /// </summary>
    private static readonly (string Name, int Series)[] _few =
    [
        // Without labels, or by operation alone.
        ("llmproxy.ledger.", 20), ("llmproxy.records.", 20), ("llmproxy.config.", 20), ("llmproxy.store.", 20),
        ("llmproxy.requests.active", 20), ("llmproxy.overhead.duration", 20),

        // By upstream alone.
        ("llmproxy.streams.", 500), ("llmproxy.upstream.state", 500), ("llmproxy.upstream.auth_failures", 500),
    ];

    private const int ServerSeries = 200;
    private const int RuntimeSeries = 100;

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

    private static int? MostSeries(Instrument instrument) => instrument.Meter.Name switch
    {
        LlmProxyTelemetry.MeterName => Array.Find(_few, few => instrument.Name.StartsWith(few.Name, StringComparison.Ordinal)) is { Series: > 0 and var series } ? series : null,
        ServerMeter => ServerSeries,
        _ => RuntimeSeries,
    };

    private static bool IsReceived(string signal) => IsSet("OTEL_EXPORTER_OTLP_ENDPOINT") || IsSet($"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");

    private static bool IsSet(string variable) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable));
}
