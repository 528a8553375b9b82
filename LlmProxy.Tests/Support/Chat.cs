using System.Text.Json;

namespace LlmProxy.Tests.Support;

/// <summary>The JSON of the OpenAI API as an upstream writes it.</summary>
public static class Chat
{
    /// <summary>The model's name at the upstream, in every answer of this class.</summary>
    public const string UpstreamModel = "upstream-mini";

    private const string ChunkStart =
        "{\"id\":\"chatcmpl-7\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"" + UpstreamModel + "\",";

    /// <summary>The first chunk: a role and no output.</summary>
    public static string Role(int choice = 0) => Chunk(choice, "{\"role\":\"assistant\",\"content\":\"\"}", "null");

    public static string Delta(string text, int choice = 0) => Chunk(choice, "{\"content\":" + Text(text) + "}", "null");

    public static string Finish(string reason = "stop", int choice = 0) => Chunk(choice, "{}", Text(reason));

    public static string Usage(int prompt = 9, int completion = 12) => ChunkStart + "\"choices\":[]," + UsageMember(prompt, completion) + "}";

    /// <summary>The chunks of a whole answer without <c>[DONE]</c>.</summary>
    public static string[] Words(params string[] words) => [Role(), .. words.Select(w => Delta(w)), Finish()];

    public static string Completion(string text) =>
        "{\"id\":\"chatcmpl-7\",\"object\":\"chat.completion\",\"created\":1760000000,\"model\":\"" + UpstreamModel + "\",\"choices\":[{\"index\":0,"
        + "\"message\":{\"role\":\"assistant\",\"content\":" + Text(text) + ",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
        + UsageMember(9, 12) + "}";

    public static string LegacyCompletion(string text) =>
        "{\"id\":\"cmpl-7\",\"object\":\"text_completion\",\"created\":1760000000,\"model\":\"" + UpstreamModel + "\",\"choices\":[{\"index\":0,"
        + "\"text\":" + Text(text) + ",\"logprobs\":null,\"finish_reason\":\"stop\"}]," + UsageMember(9, 12) + "}";

    /// <summary>A chunk of a legacy completion; the last one carries its finish reason.</summary>
    public static string LegacyDelta(string text, string? finish = null) =>
        "{\"id\":\"cmpl-7\",\"object\":\"text_completion\",\"created\":1760000000,\"model\":\"" + UpstreamModel + "\",\"choices\":[{\"index\":0,"
        + "\"text\":" + Text(text) + ",\"logprobs\":null,\"finish_reason\":" + (finish is null ? "null" : Text(finish)) + "}]}";

    /// <summary>One vector of 0.5, -1, 2: as text numbers, or in the base64 that the OpenAI clients ask for.</summary>
    public static string Embedding(bool base64) =>
        "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":" + (base64 ? "\"AAAAPwAAgL8AAABA\"" : "[0.5,-1,2]")
        + "}],\"model\":\"" + UpstreamModel + "\",\"usage\":{\"prompt_tokens\":4,\"total_tokens\":4}}";

    public static string Error(string message, string type = "server_error", string code = "boom") =>
        "{\"error\":{\"message\":" + Text(message) + ",\"type\":" + Text(type) + ",\"param\":null,\"code\":" + Text(code) + "}}";

    /// <summary>A request of a client.</summary>
    public static string Request(bool stream = false, string model = "gpt-4o-mini", string more = "") =>
        "{\"model\":" + Text(model) + ",\"messages\":[{\"role\":\"user\",\"content\":\"" + Canary.Prompt + "\"}],\"stream\":" + (stream ? "true" : "false") + more + "}";

    private static string Chunk(int choice, string delta, string finish) =>
        ChunkStart + "\"choices\":[{\"index\":" + choice + ",\"delta\":" + delta + ",\"finish_reason\":" + finish + "}]}";

    private static string UsageMember(int prompt, int completion) =>
        "\"usage\":{\"prompt_tokens\":" + prompt + ",\"completion_tokens\":" + completion + ",\"total_tokens\":" + (prompt + completion) + "}";

    private static string Text(string text) => JsonSerializer.Serialize(text);
}
