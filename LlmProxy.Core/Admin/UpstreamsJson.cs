using System.Text.Json;
namespace LlmProxy.Core.Admin;

/// <summary>How the upstreams are, as a member of a JSON object.</summary>
internal static class UpstreamsJson
{
    public static void Write(Utf8JsonWriter json, IReadOnlyList<UpstreamStatus> upstreams)
    {
        json.WriteStartObject("upstreams"u8);
        foreach (var upstream in upstreams)
        {
            json.WriteStartObject(upstream.Name);
            json.WriteString("state"u8, WordOf(upstream.Condition));
            if (upstream.Until is { } until)
            {
                json.WriteString("until"u8, until);
            }

            json.WriteNumber("in_flight"u8, upstream.InFlight);
            json.WriteNumber("waiting"u8, upstream.Waiting);
            json.WriteNumber("refusals"u8, upstream.Refusals);
            if (upstream.Pauses.Count > 0)
            {
                WritePauses(json, upstream.Pauses);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WritePauses(Utf8JsonWriter json, IReadOnlyList<ModelPause> pauses)
    {
        json.WriteStartArray("pauses"u8);
        foreach (var pause in pauses)
        {
            json.WriteStartObject();
            json.WriteString("model"u8, pause.Model);
            json.WriteString("reason"u8, pause.Reason);
            json.WriteString("until"u8, pause.Until);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static ReadOnlySpan<byte> WordOf(UpstreamCondition condition) => condition switch
    {
        UpstreamCondition.Open => "open"u8,
        UpstreamCondition.Refused => "refused"u8,
        UpstreamCondition.QuotaGone => "quota_gone"u8,
        UpstreamCondition.ProbeFailing => "probe_failing"u8,
        _ => "ok"u8,
    };
}
