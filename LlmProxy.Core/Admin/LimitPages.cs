using System.Text.Json;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Admin;

/// <summary>Limits in force and what is left of them.</summary>
internal sealed class LimitPages(LlmProxyKeys keys, LlmProxyLimits limits)
{
    public IEnumerable<AdminRoute> Routes => [new("GET", "/limits", ListAsync)];

    public static void Write(Utf8JsonWriter json, LlmProxyLimit limit)
    {
        json.WriteStartObject();
        json.WriteString("meter"u8, limit.Meter);
        json.WriteString("limit_of"u8, limit.Of);
        json.WriteString("window"u8, limit.Window);
        json.WriteNumber("limit"u8, limit.Limit);
        json.WriteNumber("used"u8, limit.Used);
        json.WriteNumber("left"u8, limit.Left);
        UsageJson.Write(json, "resets"u8, limit.Resets);
        json.WriteEndObject();
    }

    private ValueTask<AdminAnswer> ListAsync(AdminRequest request)
    {
        IEnumerable<LlmProxyLimit> found;
        if (request.Query("key") is { } name)
        {
            if (keys.Find(name) is not { } key)
            {
                return new(AdminErrors.NotFound("key", DisplayText.Name(name)));
            }

            found = limits.OfKey(key.Id);
        }
        else if (request.Query("group") is { } group)
        {
            if (keys.FindGroup(group) is null)
            {
                return new(AdminErrors.NotFound("group", DisplayText.Name(group)));
            }

            found = limits.OfGroup(group);
        }
        else
        {
            return new(AdminErrors.InvalidValue("key", "a key's name, or name a group"));
        }

        return new(AdminAnswer.Ok(json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("limits"u8);
            foreach (var limit in found)
            {
                Write(json, limit);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }));
    }
}
