namespace LlmProxy.Core.Protocol;

/// <summary>What an error says about the target that was asked: whether another should be, and how long this one is left alone.</summary>
internal enum FailureCause
{
    /// <summary>Nothing: the caller's own fault, or ours. No other target would do better.</summary>
    None,

    /// <summary>It failed.</summary>
    Failed,

    /// <summary>It would not have the request, for a reason that is neither its health nor clearly the caller's fault: another may take it.</summary>
    Refused,

    /// <summary>It could not be reached: no byte of the request left us.</summary>
    NotSent,

    /// <summary>It has had enough requests for now.</summary>
    RateLimited,

    /// <summary>The account has nothing left to spend.</summary>
    QuotaGone,

    /// <summary>It does not know our key.</summary>
    KeyRefused,

    /// <summary>Our key may not use this model.</summary>
    ModelForbidden,

    /// <summary>It does not know this model.</summary>
    ModelUnknown,

    /// <summary>The request does not fit into the context window of its model.</summary>
    TooLong,
}
