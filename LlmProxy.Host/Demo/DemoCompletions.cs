using System.Text.Json;

namespace LlmProxy.Host.Demo;

/// <summary>Chat completions and the legacy completions, streamed or whole.</summary>
internal sealed class DemoCompletions(TimeProvider time)
{
    /// <summary>About 25 words a second: fast reading.</summary>
    private static readonly TimeSpan _pace = TimeSpan.FromMilliseconds(40);

    public async Task AnswerAsync(HttpContext http, bool legacy)
    {
        DemoRequest? request;
        try
        {
            using var body = await JsonDocument.ParseAsync(http.Request.Body, cancellationToken: http.RequestAborted);
            if (!DemoRequest.TryRead(body.RootElement, legacy, out request, out var wrong))
            {
                await DemoError.WriteAsync(http, 400, $"\"{wrong}\" is missing or of the wrong type.", "invalid_type", wrong);
                return;
            }
        }
        catch (JsonException)
        {
            await DemoError.WriteAsync(http, 400, "The body is not JSON.", "invalid_json");
            return;
        }

        var answer = new DemoAnswer(request!, legacy, time.GetUtcNow());
        try
        {
            await (request!.IsStream ? StreamAsync(http, request, answer, legacy) : WholeAsync(http, request, answer, legacy));
        }
        catch (OperationCanceledException)
        {
            // The proxy hung up, as it does when its client has.
        }
    }

    private async Task StreamAsync(HttpContext http, DemoRequest request, DemoAnswer answer, bool legacy)
    {
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-cache";
        await using var events = new DemoEvents(http.Response.BodyWriter, answer, legacy, request.IncludesUsage);
        var cancellation = http.RequestAborted;

        for (var choice = 0; choice < request.Choices && !legacy; choice++)
        {
            await events.WriteRoleAsync(choice, cancellation);
        }

        foreach (var word in answer.Words)
        {
            for (var choice = 0; choice < request.Choices; choice++)
            {
                await events.WriteTextAsync(choice, word, cancellation);
            }

            await Task.Delay(_pace, time, cancellation);
        }

        for (var choice = 0; choice < request.Choices; choice++)
        {
            await events.WriteFinishAsync(choice, cancellation);
        }

        if (request.IncludesUsage)
        {
            await events.WriteUsageAsync(cancellation);
        }

        await events.WriteDoneAsync(cancellation);
    }

    private static async Task WholeAsync(HttpContext http, DemoRequest request, DemoAnswer answer, bool legacy)
    {
        http.Response.ContentType = "application/json";
        var text = string.Concat(answer.Words);
        await using var json = DemoJson.To(http.Response.BodyWriter);
        json.WriteStartObject();
        DemoEvents.WriteHead(json, answer, legacy ? "text_completion"u8 : "chat.completion"u8);
        json.WriteStartArray("choices"u8);
        for (var choice = 0; choice < request.Choices; choice++)
        {
            json.WriteStartObject();
            json.WriteNumber("index"u8, choice);
            if (legacy)
            {
                json.WriteString("text"u8, text);
            }
            else
            {
                json.WriteStartObject("message"u8);
                json.WriteString("role"u8, "assistant"u8);
                json.WriteString("content"u8, text);
                json.WriteNull("refusal"u8);
                json.WriteEndObject();
            }

            json.WriteNull("logprobs"u8);
            json.WriteString("finish_reason"u8, answer.FinishReason);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        DemoEvents.WriteUsage(json, answer);
        json.WriteEndObject();
    }
}
