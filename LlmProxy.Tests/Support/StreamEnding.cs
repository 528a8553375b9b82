namespace LlmProxy.Tests.Support;

/// <summary>One way in which an upstream's stream can go, asked for by the name of the model.</summary>
/// <param name="Name">The model's name.</param>
/// <param name="Script">Plays it.</param>
/// <param name="End">What the record says; <c>ok</c>: the answer is whole.</param>
/// <param name="Upstream">The configured upstream, which decides about clocks.</param>
/// <param name="OrEnd">What the record says where a client that cannot read it leaves first.</param>
public sealed record StreamEnding(string Name, Script Script, string End, string Upstream = "main", string? OrEnd = null)
{
    public const int LargestEvent = 32 * 1024;

    public bool IsWhole => End == "ok";

    /// <summary>Every way for a dialect. What is true of chat alone comes last.</summary>
    public static IReadOnlyList<StreamEnding> Of(StreamSample sample) =>
        [.. Whole(sample), .. Broken(sample), .. Unusable(sample), .. sample == StreamSample.Chat ? OfChat(sample) : []];

    /// <summary>Begins, says so, and is then silent until it is cut.</summary>
    public static Script Silence(StreamSample sample, Action? begun = null) => Begin(sample, exchange =>
    {
        begun?.Invoke();
        return exchange.StallAsync();
    });

    private static IEnumerable<StreamEnding> Whole(StreamSample sample) =>
    [
        new("whole", Replies.StreamOf(sample.Whole), "ok"),
        new("whole-then-reset", Play(sample.Whole, ResetAsync), "ok"),
        new("whole-then-close", Play(sample.Whole, CloseAsync), "ok"),
        new("whole-byte-by-byte", PlayBytes(sample.Whole), "ok"),
    ];

    private static IEnumerable<StreamEnding> Broken(StreamSample sample) =>
    [
        new("reset", Begin(sample, ResetAsync), "upstream_reset"),
        new("close-in-chunk", Begin(sample, CloseInChunkAsync), "upstream_truncated"),
        new("close-between-chunks", Begin(sample, CloseAsync), "upstream_truncated"),
        new("clean-end", Begin(sample, exchange => exchange.LastChunkAsync()), "upstream_truncated"),
        new("clean-end-in-event", Play(sample.Begun + sample.Rest[..^1], exchange => exchange.LastChunkAsync()), "upstream_truncated"),
        new("error-event-clean-end", Play(sample.Begun + sample.Failure, exchange => exchange.LastChunkAsync()), "upstream_error"),
        new("error-event-then-done", Play(sample.Begun + sample.Failure + sample.Done, exchange => exchange.LastChunkAsync()), "upstream_error"),
        new("error-event-then-reset", Play(sample.Begun + sample.Failure, ResetAsync), "upstream_error"),
        new("garbage-event", Play(sample.Begun + "data: {\"choices\":[{\"delta\":\n\n", exchange => exchange.LastChunkAsync()), "upstream_truncated",
            OrEnd: "client_disconnect"),
        new("html-in-stream", Play(sample.Begun + "<html>\n<h1>502 Bad Gateway</h1>\n</html>\n\n", exchange => exchange.LastChunkAsync()), "upstream_truncated"),
        new("oversized-event", Play(sample.Begun + "data: " + new string('x', 2 * LargestEvent), exchange => exchange.StallAsync()), "event_too_large"),
        new("idle-timeout", Silence(sample), "upstream_idle_timeout", "idle"),
        new("total-deadline", Begin(sample, exchange => TrickleAsync(exchange, sample.Rest)), "deadline_exceeded", "total"),
        new("silence-under-heartbeats", Replies.Silence, "upstream_timeout", "heartbeat"),
    ];

    /// <summary>What is no stream, or none with an answer in it: clients say of themselves that they take some of these for success.</summary>
    private static IEnumerable<StreamEnding> Unusable(StreamSample sample) =>
    [
        new("empty-stream", Replies.StreamOf(": hello\n\n"), "upstream_truncated"),
        new("html", Replies.Html(200), "upstream_invalid_response"),
        new("json-error", Replies.Json(200, Chat.Error("It burns.")), "upstream_error"),
    ];

    private static IEnumerable<StreamEnding> OfChat(StreamSample sample) =>
    [
        new("done-alone", Replies.StreamOf(sample.Done), "upstream_invalid_response"),
        new("whole-no-done", Replies.StreamOf(sample.Begun + sample.Rest + sample.Finished), "ok"),
        new("whole-no-done-reset", Play(sample.Begun + sample.Rest + sample.Finished, ResetAsync), "ok"),
        new("json-completion", Replies.Json(200, Chat.Completion(StreamSample.Text)), "ok"),
        new("finish-reason-error", Replies.StreamOf(sample.Begun + sample.Rest + Sse.Event(Chat.Finish("error")) + sample.Done), "upstream_error"),
        new("finish-reason-abort", Replies.StreamOf(sample.Begun + sample.Rest + Sse.Event(Chat.Finish("abort")) + sample.Done), "upstream_error"),
        new("error-after-finish", Replies.StreamOf(sample.Begun + sample.Rest + sample.Finished + sample.Failure + sample.Done), "upstream_error"),
        new("second-choice-unfinished", Replies.StreamOf(
            sample.Begun + Sse.Event(Chat.Delta("Hi", choice: 1)) + sample.Rest + sample.Finished), "upstream_truncated"),
        new("done-where-finish-is-required", Replies.StreamOf(sample.Begun + sample.Rest + sample.Done), "upstream_truncated", "strict"),
    ];

    private static Script Begin(StreamSample sample, Func<UpstreamExchange, Task> end) => Play(sample.Begun, end);

    /// <summary>The end comes when the proxy has taken what was sent: a reset destroys what it has not.</summary>
    private static Script Play(string events, Func<UpstreamExchange, Task> end) => async exchange =>
    {
        await exchange.StreamHeadAsync();
        await exchange.ChunkAsync(events);
        await exchange.TakenAsync();
        await end(exchange);
    };

    private static Script PlayBytes(string events) => async exchange =>
    {
        await exchange.StreamHeadAsync();
        foreach (char one in events)
        {
            await exchange.ChunkAsync(one.ToString());
        }

        await exchange.LastChunkAsync();
    };

    private static Task ResetAsync(UpstreamExchange exchange)
    {
        exchange.Reset();
        return Task.CompletedTask;
    }

    private static Task CloseAsync(UpstreamExchange exchange)
    {
        exchange.Close();
        return Task.CompletedTask;
    }

    private static async Task CloseInChunkAsync(UpstreamExchange exchange)
    {
        await exchange.SendAsync("80\r\ndata: {\"id\":\"chatcmpl-7\",\"cho");
        exchange.Close();
    }

    private static async Task TrickleAsync(UpstreamExchange exchange, string events)
    {
        while (true)
        {
            await exchange.PauseAsync(Task.Delay(100));
            await exchange.ChunkAsync(events);
        }
    }
}
