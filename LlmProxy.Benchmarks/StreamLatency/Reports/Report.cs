using System.Text.Json.Serialization;
using LlmProxy.Benchmarks.StreamLatency.Machine;
using LlmProxy.Benchmarks.StreamLatency.Targets;

namespace LlmProxy.Benchmarks.StreamLatency.Reports;

/// <summary>A figure of a target.</summary>
/// <param name="Figure">By its name.</param>
/// <param name="Target">By its name.</param>
/// <param name="Value">The median of the rounds.</param>
/// <param name="Ratio">To the same figure of the baseline: the median of the rounds' ratios, so not quite the ratio of the medians.</param>
internal sealed record Cell(string Figure, string Target, double Value, double? Ratio);

/// <summary>A target that took part.</summary>
internal sealed record Participant(string Name, string Label, string? Version, long Errors);

/// <summary>All that is told.</summary>
/// <param name="Machine">That all of it is from.</param>
/// <param name="Seconds">Of each load.</param>
/// <param name="Rounds">That medians are of, or of the turns in them.</param>
/// <param name="IdleStreams">That waited at one time.</param>
/// <param name="Baseline">The name of the target that ratios are to; null: there is none.</param>
/// <param name="Targets">In the order of the columns.</param>
/// <param name="LeftOut">Names of targets, and why.</param>
/// <param name="Cells">Of the table.</param>
/// <param name="Measurements">What they were made from.</param>
internal sealed record Report(
    MachineDescription Machine,
    double Seconds,
    int Rounds,
    int IdleStreams,
    string? Baseline,
    IReadOnlyList<Participant> Targets,
    IReadOnlyDictionary<string, string> LeftOut,
    [property: JsonPropertyName("Figures")] IReadOnlyList<Cell> Cells,
    IReadOnlyList<Measurement> Measurements)
{
    /// <summary>The first that is there; nginx moves bytes and does nothing else.</summary>
    private static readonly string[] _baselines = ["nginx", "yarp", "haproxy"];

    public long Errors => Targets.Sum(static t => t.Errors);

    public string? BaselineLabel => Targets.FirstOrDefault(t => t.Name == Baseline)?.Label;

    public static Report Of(
        StreamOptions options, IReadOnlyList<Target> targets, IReadOnlyList<Measurement> measurements, IReadOnlyDictionary<string, string> leftOut)
    {
        var participants = targets.Where(t => measurements.Any(m => m.Target == t.Name)).Select(t => new Participant(
            t.Name, t.Label, t.Version, measurements.Where(m => m.Target == t.Name).Sum(static m => m.Load?.Errors ?? 0))).ToArray();
        var baseline = _baselines.FirstOrDefault(name => participants.Any(t => t.Name == name));
        return new Report(
            MachineDescription.OfThis(),
            options.Seconds,
            options.Rounds,
            options.Idle,
            baseline,
            participants,
            leftOut,
            Figure.All.SelectMany(f => participants.Select(t => CellOf(f, t.Name, baseline, measurements)).OfType<Cell>()).ToArray(),
            measurements);
    }

    public Cell? Find(Figure figure, Participant target) => Cells.FirstOrDefault(c => c.Figure == figure.Name && c.Target == target.Name);

    private static Cell? CellOf(Figure figure, string target, string? baseline, IReadOnlyList<Measurement> measurements)
    {
        var isDirect = target == DirectTarget.Key;
        var (values, ratios) = (new List<double>(), new List<double>());
        foreach (var round in measurements.Where(m => m.Scenario == figure.Scenario).Select(static m => m.Round).Distinct().Order())
        {
            if (OfRound(figure, target, round, measurements) is not { } value)
            {
                continue;
            }

            values.Add(value);
            if (figure.IsCompared && !isDirect && baseline is not null && OfRound(figure, baseline, round, measurements) is > 0 and { } one)
            {
                ratios.Add(value / one);
            }
        }

        return values.Count == 0 ? null : new Cell(figure.Name, target, Median(values), ratios.Count == 0 ? null : Median(ratios));
    }

    private static double? OfRound(Figure figure, string target, int round, IReadOnlyList<Measurement> measurements)
    {
        var all = measurements.Where(m => m.Round == round && m.Scenario == figure.Scenario).ToArray();
        var direct = all.FirstOrDefault(static m => m.Target == DirectTarget.Key);
        var values = all.Where(m => m.Target == target).Select(m => figure.Read(m, direct)).OfType<double>().ToList();
        return values.Count == 0 ? null : Median(values);
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        var middle = values.Count / 2;
        return values.Count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    }
}
