namespace LlmProxy.Core.Accounting;

/// <summary>What is known of one request when it has ended. Holds no prompt, no answer and no secret.</summary>
public sealed class ExchangeRecord
{
    /// <summary>Our id of the request: 26 characters, ordered by time. Also the header <c>x-request-id</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The id the client gave it, if it gave one that may be echoed.</summary>
    public string? ClientId { get; init; }

    /// <summary>The generation of the configuration that served it, from beginning to end: 1 at the start, one more with each reload.</summary>
    public long Generation { get; init; }

    /// <summary>When it began, UTC.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>From its beginning to its end.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>To the first event or byte of the answer that the client could have; null if there was none.</summary>
    public TimeSpan? FirstEvent { get; init; }

    /// <summary>The part of the duration that was ours: before the request went upstream.</summary>
    public TimeSpan Overhead { get; init; }

    /// <summary>The operation, for example <c>chat</c>; null if the path was none of ours.</summary>
    public string? Operation { get; init; }

    /// <summary>The caller's key or user id (never the key itself); null if there was none.</summary>
    public string? Caller { get; init; }

    /// <summary>The caller's group.</summary>
    public string? Group { get; init; }

    /// <summary>The model asked for, at most 64 characters, control characters escaped.</summary>
    public string? Model { get; init; }

    /// <summary>The configured model (a name or pattern) that it resolved to.</summary>
    public string? Route { get; init; }

    /// <summary>The upstream that answered, or was last tried.</summary>
    public string? Upstream { get; init; }

    /// <summary>The model's name there.</summary>
    public string? UpstreamModel { get; init; }

    /// <summary>How many times an upstream was asked.</summary>
    public int Attempts { get; init; }

    /// <summary>Each of these times, in their order. Empty where the first of them answered: the record itself says all of that.</summary>
    public IReadOnlyList<AttemptRecord> Tried { get; init; } = [];

    /// <summary>
    /// The id of the request whose upstream call this one shared: an identical one of the same caller at the same time. That one
    /// answers for what the call cost. Null if nothing was shared, or this is the one that answers.
    /// </summary>
    public string? CoalescedWith { get; init; }

    /// <summary>The status that the client got; 499 if it left before there was one.</summary>
    public int Status { get; init; }

    /// <summary>True for a streamed answer.</summary>
    public bool Streamed { get; init; }

    /// <summary>Why it ended: <c>ok</c>, or the error's code, or <c>client_disconnect</c>.</summary>
    public required string End { get; init; }

    /// <summary>Who is to blame for an end other than <c>ok</c>: <c>client</c>, <c>upstream</c> or <c>proxy</c>; null if nobody.</summary>
    public string? Blame { get; init; }

    /// <summary>Bytes of the request's body.</summary>
    public long RequestBytes { get; init; }

    /// <summary>Bytes of the answer's body that were handed to the connection.</summary>
    public long ResponseBytes { get; init; }

    /// <summary>Tokens in; null where unknown.</summary>
    public long? InputTokens { get; init; }

    /// <summary>Tokens in that came from the provider's cache; null where unknown.</summary>
    public long? CachedInputTokens { get; init; }

    /// <summary>Tokens out; null where unknown.</summary>
    public long? OutputTokens { get; init; }

    /// <summary>Where the usage is from: <c>upstream</c>, <c>estimate</c> or <c>none</c>.</summary>
    public required string UsageSource { get; init; }

    /// <summary>What it costs its caller, US dollars; null where the model has no price, or nothing was admitted.</summary>
    public decimal? Cost { get; init; }

    /// <summary>The key's name; null if there was no caller.</summary>
    public string? KeyName { get; init; }

    /// <summary>The W3C trace id, when tracing is on.</summary>
    public string? TraceId { get; init; }
}
