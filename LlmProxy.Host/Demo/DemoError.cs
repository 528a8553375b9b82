namespace LlmProxy.Host.Demo;

/// <summary>Errors in the OpenAI shape.</summary>
internal static class DemoError
{
    public static async Task WriteAsync(HttpContext http, int status, string message, string code, string? param = null)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        await using var json = DemoJson.To(http.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteStartObject("error"u8);
        json.WriteString("message"u8, message);
        json.WriteString("type"u8, "invalid_request_error"u8);
        json.WriteString("param"u8, param);
        json.WriteString("code"u8, code);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
