using System.Text.Json;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core.Admin;

/// <summary>How the proxy is: upstreams, configuration, and what would become of a request.</summary>
internal sealed class StatePages(LlmProxyStatus status, LlmProxyReload reload, LlmProxyExplainer explainer, LlmProxyLifetime lifetime)
{
    private const string UsualPath = "/v1/chat/completions";

    public IEnumerable<AdminRoute> Routes =>
    [
        new("GET", "/upstreams", _ => new(AdminAnswer.Ok(WriteUpstreams))),
        new("GET", "/configuration", _ => new(AdminAnswer.Ok(WriteConfiguration))),
        new("POST", "/reload", ReloadAsync),
        new("POST", "/explain", request => new(AdminAnswer.Streamed(http =>
            explainer.ExplainAsync(http, request.Query("path") ?? UsualPath, request.Query("key") ?? "")))) { Changes = false, ReadsBody = true },
    ];

    private void WriteUpstreams(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("in_flight"u8, lifetime.ActiveRequests);
        status.WriteTo(json);
        json.WriteEndObject();
    }

    private void WriteConfiguration(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("generation"u8, reload.Generation);
        json.WriteString("loaded"u8, reload.Loaded.UtcDateTime);
        json.WriteStartArray("needs_restart"u8);
        foreach (var member in reload.NeedsRestart)
        {
            json.WriteStringValue(member);
        }

        json.WriteEndArray();
        if (reload.LastError is { } error)
        {
            json.WriteStartObject("reload_error"u8);
            json.WriteString("at"u8, error.At.UtcDateTime);
            ConfigurationProblem.WriteAll(json, error.Problems);
            json.WriteEndObject();
        }

        reload.Outline.WriteTo(json);
        json.WriteEndObject();
    }

    private async ValueTask<AdminAnswer> ReloadAsync(AdminRequest request) => await reload.ReloadAsync(request.Cancellation)
        ? AdminAnswer.Ok(json =>
        {
            json.WriteStartObject();
            json.WriteNumber("generation"u8, reload.Generation);
            json.WriteEndObject();
        })
        : AdminErrors.ReloadRefused(string.Join(" ", (reload.LastError?.Problems ?? []).Where(static p => p.IsError).Select(static p => p.ToString())));
}
