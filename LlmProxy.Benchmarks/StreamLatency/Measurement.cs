using LlmProxy.Benchmarks.StreamLatency.Load;

namespace LlmProxy.Benchmarks.StreamLatency;

/// <summary>One scenario with one target, once.</summary>
/// <param name="Round">From 1; of a scenario with several turns in a round, the turn, counted through all rounds.</param>
/// <param name="Target">By its name.</param>
/// <param name="Scenario">By its name.</param>
/// <param name="CpuSeconds">That the target's processes used while the client ran; null: there is none.</param>
/// <param name="Megabytes">Resident before the load.</param>
/// <param name="MegabytesUnderLoad">Resident while streams waited.</param>
/// <param name="StartMilliseconds">From the start of the process to its first answer.</param>
/// <param name="Load">What the client saw.</param>
internal sealed record Measurement(
    int Round,
    string Target,
    string Scenario,
    double? CpuSeconds = null,
    double? Megabytes = null,
    double? MegabytesUnderLoad = null,
    double? StartMilliseconds = null,
    LoadResult? Load = null);
