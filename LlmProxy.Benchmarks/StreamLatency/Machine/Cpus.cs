using System.Globalization;
using System.Runtime.InteropServices;

namespace LlmProxy.Benchmarks.StreamLatency.Machine;

/// <summary>Which processor a process may use: the proxy has one, all others the rest. Linux only, and where there are two or more.</summary>
internal static class Cpus
{
    private const int MaskLength = 16;
    private static readonly ulong[]? _allowed = Allowed();

    public static bool CanPin => _allowed is not null;

    /// <summary>What the results say about it.</summary>
    public static string Description => _allowed is null
        ? "not pinned"
        : string.Create(CultureInfo.InvariantCulture, $"the proxy on one CPU, upstream and client on {Count(_allowed) - 1} more");

    /// <summary>Runs what starts a process, which inherits where it may run.</summary>
    public static T Pinned<T>(bool isProxy, Func<T> start)
    {
        if (_allowed is null)
        {
            return start();
        }

        // The affinity is that of this thread; nothing awaits in between.
        var mask = (ulong[])_allowed.Clone();
        var first = FirstOf(mask);
        for (var i = 0; i < mask.Length; i++)
        {
            var bit = i == first / 64 ? 1ul << (first % 64) : 0;
            mask[i] = isProxy ? bit : mask[i] & ~bit;
        }

        _ = SetAffinity(0, MaskLength * sizeof(ulong), mask);
        try
        {
            return start();
        }
        finally
        {
            _ = SetAffinity(0, MaskLength * sizeof(ulong), _allowed);
        }
    }

    private static ulong[]? Allowed()
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        try
        {
            var mask = new ulong[MaskLength];
            return GetAffinity(0, MaskLength * sizeof(ulong), mask) >= 0 && Count(mask) > 1 ? mask : null;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    private static int Count(ulong[] mask) => mask.Sum(static bits => System.Numerics.BitOperations.PopCount(bits));

    private static int FirstOf(ulong[] mask)
    {
        var word = Array.FindIndex(mask, static bits => bits != 0);
        return (64 * word) + System.Numerics.BitOperations.TrailingZeroCount(mask[word]);
    }

    [DllImport("libc", EntryPoint = "sched_getaffinity"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetAffinity(int process, nint length, [Out] ulong[] mask);

    [DllImport("libc", EntryPoint = "sched_setaffinity"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetAffinity(int process, nint length, ulong[] mask);
}
