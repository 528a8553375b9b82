using System.Diagnostics;
using System.Runtime.InteropServices;

namespace LlmProxy.Benchmarks.StreamLatency.Machine;

/// <summary>Signals of Linux, which are numbered differently elsewhere.</summary>
internal static class ProcessSignal
{
    public const int Continue = 18;

    public const int Stop = 19;

    /// <summary>To a process and those that it started.</summary>
    public static void SendToTree(Process process, int signal)
    {
        if (!OperatingSystem.IsLinux() || process.HasExited)
        {
            return;
        }

        foreach (var id in ProcessUsage.Tree(process.Id))
        {
            _ = Send(id, signal);
        }
    }

    [DllImport("libc", EntryPoint = "kill"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Send(int process, int signal);
}
