namespace LlmProxy.Core;

/// <summary>Names under which LlmProxy publishes metrics and traces, for <c>AddMeter</c> and <c>AddSource</c>.</summary>
public static class LlmProxyTelemetry
{
    /// <summary>The meter of all instruments.</summary>
    public const string MeterName = "LlmProxy";

    /// <summary>The activity source; one activity per request.</summary>
    public const string ActivitySourceName = "LlmProxy";
}
