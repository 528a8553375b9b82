using LlmProxy.Core.Protocol;

namespace LlmProxy.Core.Relaying;

/// <summary>How an answer ended and who is to blame. A relay returns it; it never throws.</summary>
/// <remarks>A class: as a value every method between the relay and the middleware would keep room for it while its stream waits.</remarks>
internal sealed record RelayOutcome
{
    /// <summary>Null for a whole answer.</summary>
    public ProxyError? Error { get; init; }

    public Usage Usage { get; init; } = Usage.None;

    /// <summary>The usage as the upstream wrote it; valid while <see cref="RelayPlan.Complete"/> runs. Empty if it wrote none.</summary>
    public ReadOnlyMemory<byte> RawUsage { get; init; }

    /// <summary>Bytes of text in the answer.</summary>
    public long TextBytes { get; init; }

    /// <summary>Bytes of the body handed to the connection, framing not counted.</summary>
    public long Bytes { get; init; }

    /// <summary>Events with output.</summary>
    public long Events { get; init; }

    /// <summary>A timestamp of the last event with output; 0 if there was none.</summary>
    public long LastEvent { get; init; }

    /// <summary>What a filter threw; null if none did.</summary>
    public Exception? Fault { get; init; }

    /// <summary>The failure that a whole answer tells of itself; null if it tells of none.</summary>
    public ProxyError? Reported { get; init; }

    /// <summary>The closing mark was ours.</summary>
    public bool MissingDone { get; init; }

    /// <summary>The closing mark came though not every choice had finished.</summary>
    public bool DoneWithoutFinish { get; init; }
}
