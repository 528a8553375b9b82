using LlmProxy.Benchmarks.StreamLatency.Load;

namespace LlmProxy.Benchmarks.StreamLatency;

/// <summary>A kind of traffic, and what is looked at.</summary>
/// <param name="Name">As options and results call it.</param>
/// <param name="Plan">What the client does at a port; null: there is none.</param>
/// <param name="Turns">How often each target has it in a round, one target after another each time.</param>
internal sealed record Scenario(string Name, Func<int, StreamOptions, LoadPlan>? Plan, int Turns = 1)
{
    /// <summary>Of a stream that waits, in microseconds; between events too short for the proxy to find its level.</summary>
    private const int IdleInterval = 2_000_000;

    private const int IdleEvents = 6;

    private const int PacedInterval = 10_000;

    /// <summary>Seconds from the start of the client until the streams of <see cref="Idle"/> are weighed: all have had an event, none its last.</summary>
    public const double WeighAfter = 11;

    /// <summary>A process is started and asked, three times.</summary>
    public static readonly Scenario Start = new("start", null);

    /// <summary>A stream at a time, whose events come at once.</summary>
    public static readonly Scenario First = new("first", static (port, o) => new LoadPlan(port, 1, true, 10, 0, 0, o.Seconds, Warm(o), 0));

    /// <summary>A small request at a time.</summary>
    public static readonly Scenario Sequence = new("seq", static (port, o) => new LoadPlan(port, 1, false, 0, 0, 0, o.Seconds, Warm(o), 0));

    /// <summary>Small requests.</summary>
    public static readonly Scenario Json = new("json", static (port, o) => new LoadPlan(port, 32, false, 0, 0, 0, o.Seconds, Warm(o), 0));

    /// <summary>Streams that come at once.</summary>
    public static readonly Scenario Burst = new("burst", static (port, o) => new LoadPlan(port, 32, true, 100, 0, 0, o.Seconds, Warm(o), 0));

    /// <summary>Streams event by event. What else the machine does in a second or two decides about a hundredth of the events, so this comes more often.</summary>
    public static readonly Scenario Paced = new(
        "paced", static (port, o) => new LoadPlan(port, 200, true, (int)(o.Seconds * 1_000_000 / PacedInterval), PacedInterval, 1, 0, Warm(o), 4), Turns: 3);

    /// <summary>Streams that wait.</summary>
    public static readonly Scenario Idle = new("idle", static (port, o) => new LoadPlan(port, o.Idle, true, IdleEvents, IdleInterval, 1, 0, 0, 20 * o.Idle / 4000 + 1));

    /// <summary>In the order in which they run.</summary>
    public static readonly IReadOnlyList<Scenario> All = [Start, First, Sequence, Json, Burst, Paced, Idle];

    /// <summary>What is told of it are latencies, to be seen beside those without a proxy.</summary>
    public bool IsOfLatency => this == First || this == Sequence || this == Paced;

    /// <summary>Is played to a proxy that is there and warm.</summary>
    public bool IsLoad => this != Start && this != Idle;

    private static double Warm(StreamOptions options) => Math.Min(0.5, options.Seconds / 4);
}
