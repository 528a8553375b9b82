using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Forwarding;

/// <summary>What has just happened to an attempt.</summary>
internal enum AttemptStage
{
    /// <summary>A target is about to be asked.</summary>
    Began,

    /// <summary>It committed, or failed.</summary>
    Ended,

    /// <summary>It was given up for the next target.</summary>
    FailedOver,

    /// <summary>A copy goes to a mirror.</summary>
    Copied,
}

/// <summary>Whoever keeps the books on a request's attempts.</summary>
/// <remarks>An interface and no delegate: that would be one more object for every request.</remarks>
internal interface IAttemptBooks
{
    /// <summary>Something has happened to an attempt.</summary>
    void Note(in AttemptNote happened);
}

/// <summary>Told to whoever keeps the books, while it happens.</summary>
/// <param name="Stage">What happened.</param>
/// <param name="Target">Who was asked.</param>
/// <param name="Error">How it failed; null if it did not.</param>
/// <param name="Began">When it began, a timestamp.</param>
internal readonly record struct AttemptNote(AttemptStage Stage, Target Target, ProxyError? Error, long Began)
{
    /// <summary>When it ended, a timestamp; 0 at all other stages.</summary>
    public long Ended { get; init; }

    /// <summary>It was made because another was slow, beside it.</summary>
    public bool IsHedge { get; init; }

    /// <summary>It had to end because another was faster: it cost what it cost, and nobody gets its answer.</summary>
    public bool IsSuperseded => ReferenceEquals(Error, ProxyErrors.Superseded);

    /// <summary>A connection has taken something of it.</summary>
    public bool WasSent { get; init; }

    /// <summary>The attempt, when it has begun; null at all other stages.</summary>
    public Attempt? Attempt { get; init; }

    /// <summary>What it committed to; null if it has not.</summary>
    public UpstreamAnswer? Answer { get; init; }

    /// <summary>What is known of the usage of one that has ended.</summary>
    public Usage Usage { get; init; } = Usage.None;
}
