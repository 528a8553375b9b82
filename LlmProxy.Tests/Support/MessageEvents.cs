using System.Globalization;
using System.Text.Json;

namespace LlmProxy.Tests.Support;

/// <summary>Anthropic's Messages as an upstream writes them.</summary>
public static class MessageEvents
{
    public const string Path = "/v1/messages";

    public const string Version = "anthropic-version: 2023-06-01";

    public const string Ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";

    public static string Start { get; } = Of("message_start",
        "\"message\":{\"id\":\"msg_01\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"" + Chat.UpstreamModel + "\",\"content\":[],\"stop_reason\":null,"
        + "\"stop_sequence\":null,\"usage\":{\"input_tokens\":25,\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":100,\"output_tokens\":1}}");

    public static string Stop { get; } = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    public static string BlockStop { get; } = Of("content_block_stop", "\"index\":0");

    /// <summary>What comes before the first output.</summary>
    public static string Begun => Start + BlockStart() + Ping;

    public static string BlockStart(string block = "{\"type\":\"text\",\"text\":\"\"}") => Of("content_block_start", "\"index\":0,\"content_block\":" + block);

    public static string Delta(string text) => Of("content_block_delta", "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":" + JsonSerializer.Serialize(text) + "}");

    public static string MessageDelta(int output = 15) => Of("message_delta",
        string.Create(CultureInfo.InvariantCulture, $"\"delta\":{{\"stop_reason\":\"end_turn\",\"stop_sequence\":null}},\"usage\":{{\"output_tokens\":{output}}}"));

    public static string Error(string type, string message) => "event: error\ndata: " + ErrorBody(type, message) + "\n\n";

    public static string ErrorBody(string type, string message) =>
        "{\"type\":\"error\",\"error\":{\"type\":\"" + type + "\",\"message\":" + JsonSerializer.Serialize(message) + "},\"request_id\":\"req_011\"}";

    /// <summary>A whole stream.</summary>
    public static string Whole(params string[] words) =>
        Begun + string.Concat(words.Select(Delta)) + BlockStop + MessageDelta() + Stop;

    public static string Message(string text) =>
        "{\"id\":\"msg_01\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"" + Chat.UpstreamModel + "\",\"content\":[{\"type\":\"text\",\"text\":"
        + JsonSerializer.Serialize(text) + "}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,"
        + "\"usage\":{\"input_tokens\":25,\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":100,\"output_tokens\":15}}";

    public static string Request(bool stream = false, string model = "gpt-4o-mini") =>
        "{\"model\":\"" + model + "\",\"max_tokens\":64,\"messages\":[{\"role\":\"user\",\"content\":\"" + Canary.Prompt + "\"}],\"stream\":" + (stream ? "true" : "false") + "}";

    public static string Of(string type, string more) => $"event: {type}\ndata: {{\"type\":\"{type}\",{more}}}\n\n";
}
