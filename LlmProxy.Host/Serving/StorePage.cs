using System.Text.Json;
using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Host.Stores;

namespace LlmProxy.Host.Serving;

/// <summary>How the store is, as a member of a JSON object.</summary>
internal sealed class StorePage(StoreKind kind, StoreHealth? health, LlmProxyKeys keys, LlmProxyUsage usage)
{
    /// <summary>False while nothing is known of the keys in the store, neither from it nor from a start before.</summary>
    public bool KnowsItsKeys => keys.IsReady;

    public void WriteTo(Utf8JsonWriter json)
    {
        var trouble = health?.Trouble;
        json.WriteStartObject("store"u8);
        json.WriteString("kind"u8, kind.ToString());
        json.WriteString("state"u8, trouble is null && keys.IsCurrent ? "ok"u8 : "trouble"u8);
        json.WriteNumber("rows_waiting"u8, usage.WaitingRows);
        if (trouble is not null)
        {
            json.WriteString("problem"u8, trouble.Problem);
            json.WriteString("since"u8, trouble.Since.UtcDateTime);
        }

        json.WriteEndObject();
    }
}
