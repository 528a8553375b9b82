using LlmProxy.Benchmarks.StreamLatency.Load;

namespace LlmProxy.Benchmarks.StreamLatency.Reports;

/// <summary>Something that is told of every target.</summary>
/// <param name="Name">In files.</param>
/// <param name="Scenario">That it is read from, by its name.</param>
/// <param name="Label">In tables and charts.</param>
/// <param name="Unit">Of its values.</param>
/// <param name="Read">Out of a measurement, with that of the direct way for the same scenario and round; null: it is not in there.</param>
/// <param name="IsCompared">As a ratio, in the chart too.</param>
internal sealed record Figure(
    string Name, string Scenario, string Label, string Unit, Func<Measurement, Measurement?, double?> Read, bool IsCompared = true)
{
    public static readonly IReadOnlyList<Figure> All =
    [
        new("json.cpu", "json", "CPU per small JSON request", "us", static (m, _) => 1e6 * m.CpuSeconds / Some(m.Load?.Requests)),
        new("burst.cpu", "burst", "CPU per stream of 100 events at once", "us", static (m, _) => 1e6 * m.CpuSeconds / Some(m.Load?.Requests)),
        new("paced.cpu", "paced", "CPU per event, 200 streams with 100/s", "us", static (m, _) => 1e6 * m.CpuSeconds / Some(m.Load?.Events)),
        new("paced.p50", "paced", "one-way latency of an event, p50", "us", static (m, _) => m.Load?.Event.P50),
        new("paced.p99", "paced", "one-way latency of an event, p99", "us", static (m, _) => m.Load?.Event.P99),
        new("paced.p999", "paced", "one-way latency of an event, p99.9", "us", static (m, _) => m.Load?.Event.P999),
        new("first.added", "first", "time to first event, added", "us", static (m, direct) => Added(m, direct, static load => load.First.P50)),
        new("seq.added", "seq", "small JSON request, time added", "us", static (m, direct) => Added(m, direct, static load => load.Whole.P50)),
        new("idle.memory", "idle", "memory per idle stream", "KB", static (m, _) => 1024 * (m.MegabytesUnderLoad - m.Megabytes) / Some(m.Load?.Requests)),
        new("start.memory", "start", "memory at start", "MB", static (m, _) => m.Megabytes),
        new("start.time", "start", "start to first answer", "ms", static (m, _) => m.StartMilliseconds, IsCompared: false),
    ];

    private static double? Added(Measurement measured, Measurement? direct, Func<LoadResult, double> read) =>
        measured == direct || measured.Load is null || direct?.Load is null ? null : read(measured.Load) - read(direct.Load);

    /// <summary>Nothing is divided by none.</summary>
    private static long? Some(long? count) => count > 0 ? count : null;
}
