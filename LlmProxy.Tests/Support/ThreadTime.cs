using System.Diagnostics;
using System.Runtime.InteropServices;

namespace LlmProxy.Tests.Support;

/// <summary>How long this thread has worked: what others do on the machine meanwhile does not count.</summary>
public static class ThreadTime
{
    private const int ThreadClock = 3;

    /// <summary>The time that this thread takes for something that does not wait.</summary>
    public static TimeSpan Of(Action work)
    {
        ArgumentNullException.ThrowIfNull(work);
        TimeSpan started = Now();
        work();
        return Now() - started;
    }

    private static TimeSpan Now() => OperatingSystem.IsLinux() && GetTime(ThreadClock, out Spent spent) == 0
        ? TimeSpan.FromSeconds(spent.Seconds) + TimeSpan.FromMicroseconds(spent.Nanoseconds / 1000.0)
        : Stopwatch.GetElapsedTime(0);

    [StructLayout(LayoutKind.Sequential)]
    private struct Spent
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [DllImport("libc", EntryPoint = "clock_gettime")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetTime(int clock, out Spent spent);
}
