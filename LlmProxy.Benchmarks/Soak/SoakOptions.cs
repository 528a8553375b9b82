using System.Globalization;

namespace LlmProxy.Benchmarks.Soak;

/// <summary>How long, with how many clients, and against what.</summary>
/// <param name="Duration">Of the traffic.</param>
/// <param name="Clients">Clients that each send one request after another.</param>
/// <param name="Executable">The proxy as its own process; null: an app in this process.</param>
public sealed record SoakOptions(TimeSpan Duration, int Clients, string? Executable)
{
    public const string Usage = "soak [--minutes 10] [--clients 32] [--executable PATH]";

    /// <exception cref="FormatException">The arguments are not of that form.</exception>
    public static SoakOptions Parse(ReadOnlySpan<string> arguments)
    {
        var options = new SoakOptions(TimeSpan.FromMinutes(10), 32, null);
        for (; !arguments.IsEmpty; arguments = arguments[2..])
        {
            if (arguments.Length < 2)
            {
                throw new FormatException(Usage);
            }

            options = arguments[0] switch
            {
                "--minutes" => options with { Duration = TimeSpan.FromMinutes(double.Parse(arguments[1], CultureInfo.InvariantCulture)) },
                "--clients" => options with { Clients = int.Parse(arguments[1], CultureInfo.InvariantCulture) },
                "--executable" => options with { Executable = arguments[1] },
                _ => throw new FormatException(Usage),
            };
        }

        return options;
    }
}
