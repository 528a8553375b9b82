namespace LlmProxy.Host.Demo;

/// <summary>The list of models: one.</summary>
internal static class DemoModels
{
    public static async Task AnswerAsync(HttpContext http)
    {
        http.Response.ContentType = "application/json";
        await using var json = DemoJson.To(http.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("object"u8, "list"u8);
        json.WriteStartArray("data"u8);
        json.WriteStartObject();
        json.WriteString("id"u8, DemoUpstream.Model);
        json.WriteString("object"u8, "model"u8);
        json.WriteNumber("created"u8, 0);
        json.WriteString("owned_by"u8, "llmproxy"u8);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
