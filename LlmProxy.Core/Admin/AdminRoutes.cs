using System.Text.Json;

namespace LlmProxy.Core.Admin;

/// <summary>All operations of the admin API. <c>openapi.json</c> describes them for programs; a test holds the two together.</summary>
internal sealed class AdminRoutes
{
    private static readonly Lazy<byte[]> _document = new(ReadDocument);

    public AdminRoutes(KeyPages keys, GroupPages groups, LimitPages limits, UsagePages usage, StatePages state) => All =
    [
        new AdminRoute("GET", "/openapi.json", static _ => new(AdminAnswer.Ok(static json => json.WriteRawValue(_document.Value)))),
        .. keys.Routes,
        .. groups.Routes,
        .. limits.Routes,
        .. usage.Routes,
        .. state.Routes,
    ];

    public IReadOnlyList<AdminRoute> All { get; }

    private static byte[] ReadDocument()
    {
        using var resource = typeof(AdminRoutes).Assembly.GetManifestResourceStream("llmproxy.admin.openapi.json")!;
        using var document = JsonDocument.Parse(resource);
        return JsonSerializer.SerializeToUtf8Bytes(document.RootElement, AdminJson.Default.JsonElement);
    }
}

/// <summary>What of the admin API goes through the serializer.</summary>
[System.Text.Json.Serialization.JsonSerializable(typeof(JsonElement))]
internal sealed partial class AdminJson : System.Text.Json.Serialization.JsonSerializerContext;
