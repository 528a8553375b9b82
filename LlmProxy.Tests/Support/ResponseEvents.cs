using System.Globalization;
using System.Text.Json;

namespace LlmProxy.Tests.Support;

/// <summary>OpenAI's Responses as an upstream writes them.</summary>
public static class ResponseEvents
{
    public const string Path = "/v1/responses";

    public const string Id = "resp_68a1f0c2d3b4";

    /// <summary>A response object.</summary>
    public static string Response(string status, string output = "[]", string error = "null", string usage = "null", string id = Id, string more = "") =>
        "{\"id\":\"" + id + "\",\"object\":\"response\",\"created_at\":1760000000,\"status\":\"" + status + "\",\"error\":" + error
        + ",\"incomplete_details\":null,\"instructions\":\"Say \\\"model\\\":\\\"x\\\".\",\"model\":\"" + Chat.UpstreamModel + "\",\"output\":" + output
        + ",\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"model\":\"nested\"}],\"usage\":" + usage + more + "}";

    public static string Usage { get; } =
        "{\"input_tokens\":36,\"input_tokens_details\":{\"cached_tokens\":20},\"output_tokens\":87,\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":123}";

    public static string Created { get; } = Of("response.created", 0, "\"response\":" + Response("in_progress"));

    public static string InProgress { get; } = Of("response.in_progress", 1, "\"response\":" + Response("in_progress"));

    public static string ItemAdded { get; } =
        Of("response.output_item.added", 2, "\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}");

    public static string Completed(int number) => Ended("completed", number);

    public static string Ended(string how, int number) =>
        Of("response." + how, number, "\"response\":" + Response(how, "[{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hi\"}]}]", usage: Usage));

    public static string Failed(int number, string code, string message = "The server had an error.") =>
        Of("response.failed", number, "\"response\":" + Response("failed", error: "{\"code\":\"" + code + "\",\"message\":\"" + message + "\"}"));

    public static string Delta(string text, int number, string obfuscation = "aZ3k") =>
        Of("response.output_text.delta", number, "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":" + JsonSerializer.Serialize(text)
            + ",\"logprobs\":[],\"obfuscation\":\"" + obfuscation + "\"");

    /// <summary>What comes before the first output.</summary>
    public static string Begun => Created + InProgress;

    /// <summary>A whole stream.</summary>
    public static string Whole(params string[] words) =>
        Begun + ItemAdded + string.Concat(words.Select((word, i) => Delta(word, 3 + i, new string('o', i + 1)))) + Completed(3 + words.Length);

    /// <summary>An event with its type twice, as the API has it.</summary>
    public static string Of(string type, int number, string more) =>
        string.Create(CultureInfo.InvariantCulture, $"event: {type}\ndata: {{\"type\":\"{type}\",\"sequence_number\":{number},{more}}}\n\n");

    public static string Request(bool stream = false, string model = "gpt-4o-mini", string more = "") =>
        "{\"model\":\"" + model + "\",\"input\":\"" + Canary.Prompt + "\",\"stream\":" + (stream ? "true" : "false") + more + "}";
}
