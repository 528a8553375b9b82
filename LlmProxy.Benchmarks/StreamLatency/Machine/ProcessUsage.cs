using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace LlmProxy.Benchmarks.StreamLatency.Machine;

/// <summary>What a process and those that it started have used.</summary>
/// <param name="CpuSeconds">Of the processor, user and system.</param>
/// <param name="Megabytes">Resident.</param>
internal readonly record struct ProcessUsage(double CpuSeconds, double Megabytes)
{
    /// <summary>A process's own clock counts in nanoseconds; <c>/proc/PID/stat</c>, which is read where there is none, in hundredths of a second.</summary>
    private const int ClockOfProcess = 2;

    public static ProcessUsage Of(Process process)
    {
        if (!OperatingSystem.IsLinux())
        {
            process.Refresh();
            return new ProcessUsage(process.TotalProcessorTime.TotalSeconds, process.WorkingSet64 / 1048576.0);
        }

        var (cpu, kilobytes) = (0.0, 0L);
        foreach (var id in Tree(process.Id))
        {
            cpu += CpuOf(id);
            kilobytes += ResidentOf(id);
        }

        return new ProcessUsage(cpu, kilobytes / 1024.0);
    }

    /// <summary>A process and those that it started, by their ids. Linux only.</summary>
    public static List<int> Tree(int root)
    {
        var children = new Dictionary<int, List<int>>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var id) && Stat(id) is { } stat)
            {
                var parent = int.Parse(stat[1], CultureInfo.InvariantCulture);
                (children.TryGetValue(parent, out var list) ? list : children[parent] = []).Add(id);
            }
        }

        List<int> tree = [root];
        for (var i = 0; i < tree.Count; i++)
        {
            tree.AddRange(children.GetValueOrDefault(tree[i], []));
        }

        return tree;
    }

    private static double CpuOf(int id)
    {
        if (Environment.Is64BitProcess && ReadClock((~id << 3) | ClockOfProcess, out var time) == 0)
        {
            return time.Seconds + (1e-9 * time.Nanoseconds);
        }

        // Fields 14 and 15; the kernel counts them in hundredths for everybody outside.
        return Stat(id) is { } stat ? (long.Parse(stat[11], CultureInfo.InvariantCulture) + long.Parse(stat[12], CultureInfo.InvariantCulture)) / 100.0 : 0;
    }

    private static long ResidentOf(int id)
    {
        try
        {
            var line = File.ReadLines(Proc(id, "status")).FirstOrDefault(static line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.AsSpan(6).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // It has ended since the list was made.
            return 0;
        }
    }

    /// <summary>The fields behind the name, which may have spaces and brackets of its own.</summary>
    private static string[]? Stat(int id)
    {
        try
        {
            var text = File.ReadAllText(Proc(id, "stat"));
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string Proc(int id, string file) => string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/{file}");

    [DllImport("libc", EntryPoint = "clock_gettime"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ReadClock(int clock, out TimeSpec time);

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
