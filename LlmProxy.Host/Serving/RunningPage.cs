using System.Text.Json;
using LlmProxy.Core;
using LlmProxy.Host.Sources;

namespace LlmProxy.Host.Serving;

/// <summary>
/// What runs, for <c>llmproxy check --online</c> and <c>llmproxy connect</c>: the generation, where the API is, its models, and who may use
/// which. Holds names, no secrets.
/// </summary>
internal sealed class RunningPage(LlmProxyReload reload, ConfigurationSource source, ServedPorts ports)
{
    public const string Path = "/running";

    public async Task AnswerAsync(HttpContext http)
    {
        http.Response.ContentType = "application/json";
        await using var json = new Utf8JsonWriter(http.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("version"u8, ProductVersion.Short);
        json.WriteNumber("generation"u8, reload.Generation);
        // Whoever asks may stand in another folder.
        json.WriteString("source"u8, source.Path.Length > 0 ? System.IO.Path.GetFullPath(source.Path) : source.Description);
        ports.WriteApi(json);
        reload.Outline.WriteTo(json);
        json.WriteEndObject();
    }
}
