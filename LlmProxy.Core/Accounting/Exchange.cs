using System.Diagnostics;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Accounting;

/// <summary>One request and all that is known of it; the middleware writes it down as the stages answer.</summary>
internal sealed class Exchange
{
    /// <summary>The <see cref="End"/> of a success.</summary>
    public const string Ok = "ok";

    /// <summary>What it has set aside of its caller's limits. A field: it is used where it stands.</summary>
    public Lease Lease;

    private readonly long _startedTicks;
    private Seldom? _seldom;

    public required string Id { get; init; }

    public string? ClientId
    {
        get => _seldom?.ClientId;
        init => _ = value is null ? null : Box().ClientId = value;
    }

    /// <summary>Of the configuration.</summary>
    public long Generation { get; set; }

    /// <summary>Timestamps of the <see cref="TimeProvider"/>; 0 where it has not happened.</summary>
    public long Started { get; init; }

    /// <summary>When it began, by the wall clock.</summary>
    public DateTimeOffset StartedAt
    {
        get => new(_startedTicks, TimeSpan.Zero);
        init => _startedTicks = value.UtcTicks;
    }

    /// <summary>When the first attempt was sent; later attempts do not move it.</summary>
    public long SentUpstream { get; set; }

    public long FirstEvent { get; set; }

    /// <summary>When the last event with output was relayed, for the time per output token.</summary>
    public long LastEvent { get; set; }

    /// <summary>The operation as records name it.</summary>
    public string? Operation { get; set; }

    /// <summary>The operation in the words of the GenAI conventions.</summary>
    public string? GenAiOperation { get; set; }

    public string? Caller => Key?.Id;

    public string? Group => Key?.Group;

    public string? Model { get; set; }

    public string? Route { get; set; }

    public string? Upstream { get; set; }

    /// <summary>The upstream's kind in the words of the GenAI conventions, for example <c>openai</c>.</summary>
    public string? Provider { get; set; }

    public string? UpstreamModel { get; set; }

    /// <summary>The upstream's model as the configuration writes it, star included.</summary>
    public string? TargetModel { get; set; }

    /// <summary>
    /// The upstream's model as a label: never request text, of which there is no end. A route without a star has none to hand
    /// on, so there the model sent is the model configured.
    /// </summary>
    public string? ResponseModel => TargetModel ?? (Route is null || Route.Contains('*', StringComparison.Ordinal) ? null : UpstreamModel);

    /// <summary>A limit of its caller's has stopped it.</summary>
    public bool IsRefused { get; set; }

    /// <summary>What its caller's limits have left, where it was refused for one of them.</summary>
    public RateView Rates
    {
        get => _seldom?.Rates ?? default;
        set => Box().Rates = value;
    }

    public int Attempts { get; set; }

    /// <summary>The attempts that have ended, once there is more to tell than that the first has answered; null before.</summary>
    public IReadOnlyList<AttemptRecord>? Tried => _seldom?.Tried;

    /// <summary>The exchange that answers for the call that this one shared; null if it is this one, or none was shared.</summary>
    public string? CoalescedWith
    {
        get => _seldom?.CoalescedWith;
        set => _ = value is null && _seldom is null ? null : Box().CoalescedWith = value;
    }

    public int Status { get; set; }

    public bool Streamed { get; set; }

    public string End { get; set; } = Ok;

    /// <summary>The code of an end that is not a success.</summary>
    public string? ErrorType => End == Ok ? null : End;

    public Blame Blame { get; set; }

    public long RequestBytes { get; set; }

    public long ResponseBytes { get; set; }

    /// <summary>Events with output that were relayed.</summary>
    public long Events { get; set; }

    public Usage Usage { get; set; } = Usage.None;

    /// <summary><see cref="Usage"/> is not all from the upstream.</summary>
    public bool IsEstimate { get; set; }

    /// <summary>The upstream's usage as it wrote it; empty if it wrote none. Valid until the exchange is settled.</summary>
    public ReadOnlyMemory<byte> RawUsage { get; set; }

    /// <summary>Who pays for it; null until that is known.</summary>
    public Caller? Key { get; set; }

    /// <summary>It has been admitted: it has a row in the ledger.</summary>
    public bool IsAdmitted { get; set; }

    /// <summary>Its answer is made for it, and costs something; false for what only looks at one.</summary>
    public bool IsGenerated { get; set; }

    /// <summary>Its answer is made of tokens, and its length says how many; that of embeddings is not.</summary>
    public bool HasText { get; set; }

    /// <summary>What its answer costs; null where the model has no price.</summary>
    public Price? Price { get; set; }

    /// <summary>US dollars, once it is settled; null where the model has no price.</summary>
    public decimal? Cost { get; set; }

    /// <summary>What is paid for it beside its own answer.</summary>
    public SideCosts? Side
    {
        get => _seldom?.Side;
        set => Box().Side = value;
    }

    /// <summary>Tokens of its prompt as estimated; 0 if that was not asked for.</summary>
    public long PromptTokens { get; set; }

    /// <summary>Bytes of text in the answer that were relayed.</summary>
    public long TextBytes { get; set; }

    /// <summary>An upstream has been sent the request, though nothing came of it.</summary>
    public bool WasSent { get; set; }

    /// <summary>Its client waited no longer, as it said beforehand: nothing has failed but its patience.</summary>
    public bool IsGivenUp { get; set; }

    /// <summary>Set by <see cref="Settlement"/>, so that no way out counts twice.</summary>
    public bool IsSettled { get; set; }

    /// <summary>A stream that ended broken after its first event.</summary>
    public bool Truncated { get; set; }

    /// <summary>The closing <c>[DONE]</c> was ours.</summary>
    public bool MissingDone { get; set; }

    /// <summary><c>[DONE]</c> came though not every choice had a finish reason.</summary>
    public bool DoneWithoutFinish { get; set; }

    /// <summary>What the client says of its own retries (<c>x-stainless-retry-count</c>).</summary>
    public int ClientRetries { get; set; }

    /// <summary>The trace's activity, if anybody listens.</summary>
    public Activity? Activity
    {
        get => _seldom?.Activity;
        init => _ = value is null ? null : Box().Activity = value;
    }

    /// <summary>It is one of those that are served at one time.</summary>
    public bool HasEntered { get; set; }

    /// <summary>Set by <see cref="Accountant.Complete"/>, so that no way out counts twice.</summary>
    public bool IsComplete { get; set; }

    /// <summary>An attempt has ended. A new list each time: a call that others share may still be noted when this exchange is complete.</summary>
    public void NoteTried(AttemptRecord attempt) => Box().Tried = [.. Tried ?? [], attempt];

    // Two may need it at one moment: the exchange, and a call that it shares with others.
    private Seldom Box() => Volatile.Read(ref _seldom) ?? Interlocked.CompareExchange(ref _seldom, new Seldom(), null) ?? _seldom;

    /// <summary>What few have: no other makes room for it.</summary>
    private sealed class Seldom
    {
        public string? ClientId;
        public RateView Rates;
        public IReadOnlyList<AttemptRecord>? Tried;
        public string? CoalescedWith;
        public SideCosts? Side;
        public Activity? Activity;
    }
}
