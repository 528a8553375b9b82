namespace LlmProxy.Core.Configuration;

/// <summary>How the executable ends when it is asked to. Ignored by the middleware: an app stops as its own host says.</summary>
public sealed class ShutdownOptions
{
    /// <summary>
    /// How long new requests are still served while readiness already says no. Default 0: set it to what a load balancer
    /// needs to notice.
    /// </summary>
    public TimeSpan Pause { get; set; }

    /// <summary>
    /// From the signal, the pause included, until what still runs is ended with an error. Default 10 min: long answers of
    /// reasoning models come to their end.
    /// </summary>
    public TimeSpan Deadline { get; set; } = TimeSpan.FromMinutes(10);
}
