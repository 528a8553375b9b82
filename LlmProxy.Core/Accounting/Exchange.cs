using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Accounting;

/// <summary>One request and all that is known of it; the middleware writes it down as the stages answer.</summary>
internal sealed class Exchange
{
    public required string Id { get; init; }

    public string? ClientId { get; set; }

    /// <summary>Timestamps of the <see cref="TimeProvider"/>; 0 where it has not happened.</summary>
    public long Started { get; init; }

    public long SentUpstream { get; set; }

    public long FirstEvent { get; set; }

    public string? Operation { get; set; }

    public string? Caller { get; set; }

    public string? Group { get; set; }

    public string? Model { get; set; }

    public string? Route { get; set; }

    public string? Upstream { get; set; }

    /// <summary>The upstream's kind in the words of the GenAI conventions, for example <c>openai</c>.</summary>
    public string? Provider { get; set; }

    public string? UpstreamModel { get; set; }

    public int Attempts { get; set; }

    public int Status { get; set; }

    public bool Streamed { get; set; }

    public string End { get; set; } = "ok";

    public Blame Blame { get; set; }

    public long RequestBytes { get; set; }

    public long ResponseBytes { get; set; }

    /// <summary>Events with output that were relayed.</summary>
    public long Events { get; set; }

    public Usage Usage { get; set; } = Usage.None;

    /// <summary>A stream that ended broken after its first event.</summary>
    public bool Truncated { get; set; }

    /// <summary>The closing <c>[DONE]</c> was ours.</summary>
    public bool MissingDone { get; set; }

    /// <summary><c>[DONE]</c> came though not every choice had a finish reason.</summary>
    public bool DoneWithoutFinish { get; set; }

    /// <summary>What the client says of its own retries (<c>x-stainless-retry-count</c>).</summary>
    public int ClientRetries { get; set; }
}
