namespace LlmProxy.Core.Configuration;

/// <summary>What one request may take, and all of them together. Sizes are in bytes.</summary>
public sealed class LimitOptions
{
    /// <summary>A request's body, decoded. Default 64 MiB: conversations with images.</summary>
    public long RequestBody { get; set; } = 64L << 20;

    /// <summary>
    /// The bodies of all requests that are held at one time. Default: a quarter of the memory that the process may use. What
    /// does not fit is answered with 503 <c>overloaded</c>.
    /// </summary>
    public long AllRequestBodies { get; set; } = Math.Max(64L << 20, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4);

    /// <summary>
    /// How long a request's body may take to arrive; what takes longer is answered with 408 <c>request_timeout</c>. Default 5
    /// minutes: 64 MiB over 2 Mbit/s. Zero: as long as the server lets it.
    /// </summary>
    public TimeSpan BodyTime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How many requests are served at one time; one more is answered with 503 <c>overloaded</c>. Default 0: as many as come.
    /// The executable's own default is what its limit of open files has room for.
    /// </summary>
    public int Concurrent { get; set; }

    /// <summary>One event of a stream. Default 16 MiB: an image in one event fits.</summary>
    public int Event { get; set; } = 16 << 20;

    /// <summary>
    /// A JSON answer that is held until it is known to be whole. Default 1 MiB; a larger one is relayed as it comes and
    /// ends unterminated if it breaks.
    /// </summary>
    public int HeldAnswer { get; set; } = 1 << 20;

    /// <summary>
    /// What becomes of requests that run when their key ends. Default <see cref="RevokedKey.Finish"/>: an answer that was begun is paid
    /// for, and half of one is of no use.
    /// </summary>
    public RevokedKey RevokedKey { get; set; }
}

/// <summary>What becomes of requests that run when their key is revoked, disabled, replaced or taken out of the configuration, or expires. New ones get 401 either way.</summary>
public enum RevokedKey
{
    /// <summary>They go on to their end.</summary>
    Finish,

    /// <summary>They are ended with the error <c>key_revoked</c> within about a second.</summary>
    Cut,
}
