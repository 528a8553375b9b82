using System.Diagnostics;
using System.Runtime.InteropServices;

namespace LlmProxy.Benchmarks.StreamLatency.Load;

/// <summary>Sleeps shorter than a millisecond, where the system has them.</summary>
internal static class FineSleep
{
    private static readonly bool _isFine = Environment.Is64BitProcess && (OperatingSystem.IsLinux() || OperatingSystem.IsMacOS());

    /// <param name="ticks">As <see cref="Stopwatch"/> counts; less than a second.</param>
    public static void For(long ticks)
    {
        if (ticks <= 0)
        {
            return;
        }

        if (!_isFine)
        {
            // The load's pace itself, as fine as this system has it.
            Thread.Sleep(1);
            return;
        }

        var time = new TimeSpec { Nanoseconds = (long)(ticks * (1e9 / Stopwatch.Frequency)) };
        _ = Sleep(in time, 0);
    }

    [DllImport("libc", EntryPoint = "nanosleep"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Sleep(in TimeSpec time, nint left);

    private struct TimeSpec
    {
        public long Seconds { get; init; }

        public long Nanoseconds { get; init; }
    }
}
