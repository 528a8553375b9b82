using System.Globalization;
using System.Text.Json.Nodes;

namespace LlmProxy.Tests.Support;

/// <summary>One answer, "Hello there", in the events of a dialect and in the pieces between which it can break.</summary>
/// <param name="Begun">Up to and with the output "Hello".</param>
/// <param name="Rest">The output " there".</param>
/// <param name="Finished">What comes between the output and the mark of the end.</param>
/// <param name="Done">The mark without which it is not whole; in chat the finish reason is already that.</param>
/// <param name="Failure">The event with which a server of that dialect says that it failed.</param>
public sealed record StreamSample(string Begun, string Rest, string Finished, string Done, string Failure)
{
    public const string Text = "Hello there";

    private const string FailureMessage = "The engine crashed.";

    public static StreamSample Chat { get; } = new(
        Sse.Event(Support.Chat.Role()) + Sse.Event(Support.Chat.Delta("Hello")),
        Sse.Event(Support.Chat.Delta(" there")),
        Sse.Event(Support.Chat.Finish()),
        Sse.Done,
        Sse.Event(Support.Chat.Error(FailureMessage, "server_error", "engine_dead")));

    /// <summary>Anthropic's.</summary>
    public static StreamSample Messages { get; } = new(
        Named("message_start", "\"message\":{\"id\":\"msg_7\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"" + Support.Chat.UpstreamModel
            + "\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}")
        + Named("content_block_start", "\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")
        + MessagesDelta("Hello"),
        MessagesDelta(" there"),
        Named("content_block_stop", "\"index\":0")
        + Named("message_delta", "\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":12}"),
        Named("message_stop"),
        Named("error", "\"error\":{\"type\":\"api_error\",\"message\":\"" + FailureMessage + "\"}"));

    /// <summary>OpenAI's Responses.</summary>
    public static StreamSample Responses { get; } = new(
        Response("response.created", 0, "in_progress", "")
        + Named("response.output_item.added", "\"sequence_number\":1,\"output_index\":0,\"item\":" + Item("in_progress", ""))
        + Named("response.content_part.added", "\"sequence_number\":2,\"item_id\":\"msg_7\",\"output_index\":0,\"content_index\":0,\"part\":" + Part(""))
        + ResponsesDelta(3, "Hello"),
        ResponsesDelta(4, " there"),
        Named("response.output_text.done", "\"sequence_number\":5,\"item_id\":\"msg_7\",\"output_index\":0,\"content_index\":0,\"logprobs\":[],\"text\":\"" + Text + "\"")
        + Named("response.content_part.done", "\"sequence_number\":6,\"item_id\":\"msg_7\",\"output_index\":0,\"content_index\":0,\"part\":" + Part(Text))
        + Named("response.output_item.done", "\"sequence_number\":7,\"output_index\":0,\"item\":" + Item("completed", Text)),
        Response("response.completed", 8, "completed", Item("completed", Text)),
        Named("error", "\"sequence_number\":4,\"code\":\"server_error\",\"message\":\"" + FailureMessage + "\",\"param\":null"));

    /// <summary>The whole answer.</summary>
    public string Whole => Begun + Rest + Finished + Done;

    private static string MessagesDelta(string text) =>
        Named("content_block_delta", "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" + text + "\"}");

    private static string ResponsesDelta(int number, string text) => Named(
        "response.output_text.delta",
        string.Create(CultureInfo.InvariantCulture, $"\"sequence_number\":{number},")
        + "\"item_id\":\"msg_7\",\"output_index\":0,\"content_index\":0,\"logprobs\":[],\"delta\":\"" + text + "\"");

    private static string Response(string type, int number, string status, string item) => Named(
        type,
        string.Create(CultureInfo.InvariantCulture, $"\"sequence_number\":{number},")
        + "\"response\":{\"id\":\"resp_7\",\"object\":\"response\",\"created_at\":1760000000,\"status\":\"" + status
        + "\",\"error\":null,\"incomplete_details\":null,\"instructions\":null,\"metadata\":{},\"model\":\"" + Support.Chat.UpstreamModel
        + "\",\"output\":[" + item + "],\"parallel_tool_calls\":true,\"temperature\":1,\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":1,\"usage\":"
        + (item.Length == 0 ? "null" : "{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":12,"
            + "\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":21}") + "}");

    private static string Item(string status, string text) =>
        "{\"id\":\"msg_7\",\"type\":\"message\",\"status\":\"" + status + "\",\"role\":\"assistant\",\"content\":["
        + (text.Length == 0 ? "" : Part(text)) + "]}";

    private static string Part(string text) => "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"" + text + "\"}";

    private static string Named(string type, string members = "") =>
        $"event: {type}\n" + Sse.Event(JsonNode.Parse("{\"type\":\"" + type + "\"" + (members.Length == 0 ? "" : "," + members) + "}")!.ToJsonString());
}
