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

    private const int OthersSeries = 200;

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
            // Room for every series is taken beforehand, 72 bytes for each: the runtime's and the server's are few.
            metrics.AddView(static instrument => instrument.Meter.Name == LlmProxyTelemetry.MeterName ? null : new MetricStreamConfiguration { CardinalityLimit = OthersSeries });
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

    private static bool IsReceived(string signal) => IsSet("OTEL_EXPORTER_OTLP_ENDPOINT") || IsSet($"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");

    private static bool IsSet(string variable) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable));
}
