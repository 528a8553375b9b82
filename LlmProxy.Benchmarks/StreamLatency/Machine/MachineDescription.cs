using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace LlmProxy.Benchmarks.StreamLatency.Machine;

/// <summary>Where results come from; no names of hosts or users.</summary>
internal sealed record MachineDescription(string Cpu, int Cores, int MemoryGigabytes, string Platform, string Runtime, string Pinning, string Date, string? Commit)
{
    public static MachineDescription OfThis() => new(
        CpuModel(),
        Environment.ProcessorCount,
        (int)Math.Round(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1 << 30)),
        SystemName(),
        RuntimeInformation.FrameworkDescription,
        Cpus.Description,
        DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        FirstLineOf("git", "rev-parse", "--short=10", "HEAD"));

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Cpu}, {Cores} cores, {MemoryGigabytes} GB; {Platform}; {Runtime}; {Pinning}; {Date}{(Commit is null ? "" : ", commit ")}{Commit}");

    /// <summary>The first line that a program prints; null if there is no such program, or it fails.</summary>
    public static string? FirstLineOf(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;

            // Some print their version as if it were an error.
            var error = process.StandardError.ReadToEndAsync();
            var line = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            line = line.Length > 0 ? line : error.Result.Trim();
            return process.ExitCode == 0 && line.Length > 0 ? line.Split('\n')[0].Trim() : null;
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or IOException)
        {
            return null;
        }
    }

    private static string CpuModel()
    {
        var model = OperatingSystem.IsLinux() ? Value("/proc/cpuinfo", "model name", ':')
            : OperatingSystem.IsMacOS() ? FirstLineOf("sysctl", "-n", "machdep.cpu.brand_string")
            : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
        return model ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static string SystemName()
    {
        var name = OperatingSystem.IsLinux() ? "Linux " + Environment.OSVersion.Version : Environment.OSVersion.VersionString;
        var kernel = $"{name} {RuntimeInformation.OSArchitecture}";
        return OperatingSystem.IsLinux() && Value("/etc/os-release", "PRETTY_NAME", '=') is { } distribution ? $"{distribution.Trim('"')}, {kernel}" : kernel;
    }

    private static string? Value(string file, string name, char separator) => File.Exists(file)
        ? File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(separator, 2)[1].Trim()
        : null;
}
