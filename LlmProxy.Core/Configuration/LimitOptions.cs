namespace LlmProxy.Core.Configuration;

/// <summary>Sizes, in bytes.</summary>
public sealed class LimitOptions
{
    /// <summary>A request's body, decoded. Default 64 MiB: conversations with images.</summary>
    public long RequestBody { get; set; } = 64L << 20;

    /// <summary>
    /// The bodies of all requests that are held at one time. Default: a quarter of the memory that the process may use. What
    /// does not fit is answered with 503 <c>overloaded</c>.
    /// </summary>
    public long AllRequestBodies { get; set; } = Math.Max(64L << 20, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4);

    /// <summary>One event of a stream. Default 16 MiB: an image in one event fits.</summary>
    public int Event { get; set; } = 16 << 20;

    /// <summary>
    /// A JSON answer that is held until it is known to be whole. Default 1 MiB; a larger one is relayed as it comes and
    /// ends unterminated if it breaks.
    /// </summary>
    public int HeldAnswer { get; set; } = 1 << 20;
}
