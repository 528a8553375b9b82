using System.Globalization;

namespace LlmProxy.Benchmarks.StreamLatency.Machine;

/// <summary>What the limit of open files leaves room for: a proxy needs two for each stream.</summary>
internal static class OpenFiles
{
    private const int Others = 500;
    private const int WhereUnknown = 1000;

    public static StreamOptions Bound(StreamOptions options) => options with { Idle = Math.Min(options.Idle, Most()) };

    private static int Most()
    {
        if (!OperatingSystem.IsLinux())
        {
            return WhereUnknown;
        }

        // Name, soft limit, hard limit, unit, in columns; the runtime raises the soft one, and processes inherit it.
        var line = File.ReadLines("/proc/self/limits").First(static line => line.StartsWith("Max open files", StringComparison.Ordinal));
        var hard = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[4];
        return long.TryParse(hard, CultureInfo.InvariantCulture, out var limit) ? (int)Math.Clamp((limit - Others) / 2, 1, int.MaxValue) : int.MaxValue;
    }
}
