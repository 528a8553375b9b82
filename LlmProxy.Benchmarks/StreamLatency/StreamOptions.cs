using System.Globalization;

namespace LlmProxy.Benchmarks.StreamLatency;

/// <summary>What is compared, and for how long.</summary>
internal sealed record StreamOptions
{
    public const string Usage =
        "stream [--seconds 4] [--rounds 3] [--only nginx,executable,...] [--scenarios json,paced,...] [--idle 4000] [--executable PATH] [--output FOLDER]";

    /// <summary>Of each scenario that has a load.</summary>
    public double Seconds { get; private init; } = 4;

    /// <summary>All is done so often; medians count.</summary>
    public int Rounds { get; private init; } = 3;

    /// <summary>Names of targets; empty: all.</summary>
    public IReadOnlyList<string> Only { get; private init; } = [];

    /// <summary>Names of scenarios; empty: all.</summary>
    public IReadOnlyList<string> Scenarios { get; private init; } = [];

    /// <summary>Streams that wait; fewer where there is no room for as many open files.</summary>
    public int Idle { get; init; } = 4000;

    /// <summary>The published one; null: it is published.</summary>
    public string? Executable { get; private init; }

    /// <summary>The folder that results are written to.</summary>
    public string Output { get; private init; } = Path.Combine("artifacts", "stream");

    /// <exception cref="FormatException">The arguments are not of that form.</exception>
    public static StreamOptions Parse(ReadOnlySpan<string> arguments)
    {
        var options = new StreamOptions();
        for (; !arguments.IsEmpty; arguments = arguments[2..])
        {
            if (arguments.Length < 2)
            {
                throw new FormatException(Usage);
            }

            var value = arguments[1];
            options = arguments[0] switch
            {
                "--seconds" => options with { Seconds = double.Parse(value, CultureInfo.InvariantCulture) },
                "--rounds" => options with { Rounds = int.Parse(value, CultureInfo.InvariantCulture) },
                "--idle" => options with { Idle = int.Parse(value, CultureInfo.InvariantCulture) },
                "--only" => options with { Only = value.Split(',') },
                "--scenarios" => options with { Scenarios = value.Split(',') },
                "--executable" => options with { Executable = value },
                "--output" => options with { Output = value },
                _ => throw new FormatException(Usage),
            };
        }

        return options.Seconds >= 0.1 && options.Rounds > 0 && options.Idle > 0 ? options : throw new FormatException(Usage);
    }
}
