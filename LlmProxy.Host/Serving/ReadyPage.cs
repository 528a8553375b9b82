using System.Text.Json;
using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Host.Sources;
using LlmProxy.Host.Stopping;

namespace LlmProxy.Host.Serving;

/// <summary>
/// <c>/readyz</c>: does it take requests? A configuration that could not replace the one in force is no reason to take none. What
/// it says beyond that is for this machine and for the admin listener: it names upstreams.
/// </summary>
internal sealed class ReadyPage(
    StopSignals signals, LlmProxyLifetime proxy, LlmProxyReload reload, LlmProxyStatus status, ConfigurationSource source, ServedPorts ports, StorePage store)
{
    private bool IsDemo => source.Kind == SourceKind.Nothing;

    public async Task AnswerAsync(HttpContext http)
    {
        var isStopping = signals.IsStopping;
        var isReady = !isStopping && store.KnowsItsKeys;
        http.Response.StatusCode = !isReady ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
        http.Response.ContentType = "application/json";
        http.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(http.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("status"u8, isStopping ? "stopping"u8 : isReady ? "ready"u8 : "no_keys_yet"u8);
        json.WriteNumber("in_flight"u8, proxy.ActiveRequests);
        json.WriteBoolean("demo"u8, IsDemo);
        if (IsDemo)
        {
            json.WriteString("detail"u8, "DEMO: nothing is configured, a built-in fake model answers"u8);
        }

        json.WriteNumber("generation"u8, reload.Generation);
        if (ports.ServesMetrics(http))
        {
            WriteDetail(json);
        }

        json.WriteEndObject();
    }

    private void WriteDetail(Utf8JsonWriter json)
    {
        json.WriteString("loaded"u8, reload.Loaded.UtcDateTime);
        json.WriteString("source"u8, source.Description);
        ports.WriteApi(json);
        if (reload.NeedsRestart is { Count: > 0 } members)
        {
            json.WriteStartArray("needs_restart"u8);
            foreach (var member in members)
            {
                json.WriteStringValue(member);
            }

            json.WriteEndArray();
        }

        if (reload.LastError is { } error)
        {
            json.WriteStartObject("reload_error"u8);
            json.WriteString("at"u8, error.At.UtcDateTime);
            ConfigurationProblem.WriteAll(json, error.Problems);
            json.WriteEndObject();
        }

        store.WriteTo(json);
        status.WriteTo(json);
    }
}
