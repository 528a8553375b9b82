using System.Text.Json;

/// <summary>
/// What stands behind the proxy here: streams five words, a fifth of a second apart; the model <c>dies</c> breaks its
/// connection after two of them, the model <c>stops</c> ends its stream there as if nothing were wrong.
/// </summary>
internal static class ScriptedUpstream
{
    private static readonly string[] Words = ["one", "two", "three", "four", "five"];

    public static async Task RunAsync(string url)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.MapGet("/", () => "ready");
        app.MapPost("/v1/chat/completions", Answer);
        await app.RunAsync(url);
    }

    private static async Task Answer(HttpContext context)
    {
        using var body = await JsonDocument.ParseAsync(context.Request.Body);
        var model = body.RootElement.GetProperty("model").GetString();
        context.Response.ContentType = "text/event-stream";
        for (var i = 0; i < Words.Length; i++)
        {
            await Send(context, Chunk(model, $$"""{"content":"{{Words[i]}} "}""", "null"));
            // The pace of a model: whoever reads the stream sees it come in parts.
            await Task.Delay(200);
            if (i == 1 && model == "dies")
            {
                context.Abort();
                return;
            }

            if (i == 1 && model == "stops")
            {
                return;
            }
        }

        await Send(context, Chunk(model, "{}", "\"stop\""));
        await Send(context, "[DONE]");
    }

    private static string Chunk(string? model, string delta, string finish) =>
        $$"""{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"{{model}}","choices":[{"index":0,"delta":{{delta}},"finish_reason":{{finish}}}]}""";

    private static async Task Send(HttpContext context, string data)
    {
        await context.Response.WriteAsync($"data: {data}\n\n");
        await context.Response.Body.FlushAsync();
    }
}
