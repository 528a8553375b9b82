using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Relaying;

/// <summary>How an answer ended and who is to blame. A relay returns it; it never throws.</summary>
/// <remarks>
/// A class: as a value every method between the relay and the middleware would keep room for it while its stream waits. It serves the next, once the
/// middleware has written it down.
/// </remarks>
internal sealed record RelayOutcome
{
    [ThreadStatic]
    internal static Spares<RelayOutcome> Kept;

    /// <summary>Null for a whole answer.</summary>
    public ProxyError? Error { get; set; }

    public Usage Usage { get; set; } = Usage.None;

    /// <summary>The usage as the upstream wrote it; valid while <see cref="RelayPlan.Complete"/> runs. Empty if it wrote none.</summary>
    public ReadOnlyMemory<byte> RawUsage { get; set; }

    /// <summary>Bytes of text in the answer.</summary>
    public long TextBytes { get; set; }

    /// <summary>Bytes of the body handed to the connection, framing not counted.</summary>
    public long Bytes { get; set; }

    /// <summary>Events with output.</summary>
    public long Events { get; set; }

    /// <summary>A timestamp of the last event with output; 0 if there was none.</summary>
    public long LastEvent { get; set; }

    /// <summary>What a filter threw; null if none did.</summary>
    public Exception? Fault { get; set; }

    /// <summary>The failure that a whole answer tells of itself; null if it tells of none.</summary>
    public ProxyError? Reported { get; set; }

    /// <summary>The closing mark was ours.</summary>
    public bool MissingDone { get; set; }

    /// <summary>The closing mark came though not every choice had finished.</summary>
    public bool DoneWithoutFinish { get; set; }

    /// <summary>One that may have served before, and is as new.</summary>
    public static RelayOutcome Take() => Kept.Take() ?? new RelayOutcome();

    /// <summary>It has been written down, and nobody holds it any more.</summary>
    public void GiveBack()
    {
        (Error, Usage, RawUsage, Fault, Reported) = (null, Usage.None, default, null, null);
        (TextBytes, Bytes, Events, LastEvent) = (0, 0, 0, 0);
        (MissingDone, DoneWithoutFinish) = (false, false);
        Kept.Give(this);
    }
}
