using System.Diagnostics;
using System.Globalization;

namespace LlmProxy.Benchmarks.StreamLatency.Targets;

/// <summary>This program again, in a process of its own with one of the parts of the comparison.</summary>
internal static class OwnProcess
{
    private const string Tiered = "DOTNET_TieredCompilation";

    /// <summary>All of the comparison, in a process of which nothing is compiled in the background: that takes turns from whatever is measured.</summary>
    /// <returns>Its exit code.</returns>
    public static async Task<int> CompareAsync(string[] arguments)
    {
        var command = Command(["compare", .. arguments]);
        command.Environment[Tiered] = "0";
        command.RedirectStandardInput = true;
        using var process = Process.Start(command)!;
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    /// <summary>What is started is compiled as programs are by default.</summary>
    public static void CompileInSteps(ProcessStartInfo command) => command.Environment.Remove(Tiered);

    /// <param name="arguments">Of <c>stream</c>, a sub-command first.</param>
    public static ProcessStartInfo Command(params string[] arguments)
    {
        var command = new ProcessStartInfo(Environment.ProcessPath!);
        if (Path.GetFileNameWithoutExtension(command.FileName).Equals("dotnet", StringComparison.OrdinalIgnoreCase))
        {
            command.ArgumentList.Add(typeof(OwnProcess).Assembly.Location);
        }

        foreach (var argument in (string[])["stream", .. arguments])
        {
            command.ArgumentList.Add(argument);
        }

        return command;
    }

    /// <summary>The same for the client and the upstream: one thread polls all sockets and runs what comes of it.</summary>
    /// <param name="part">A sub-command of <c>stream</c>.</param>
    /// <param name="arguments">Of that.</param>
    public static ProcessStartInfo LoadCommand(string part, params string[] arguments)
    {
        var command = Command([part, .. arguments]);
        command.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        command.Environment["DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT"] = "1";
        command.Environment["DOTNET_gcConcurrent"] = "0";

        // A compiler in the background would take turns from the upstream, whose events would then come late and many at once.
        command.Environment[Tiered] = "0";
        return command;
    }

    /// <summary>In such a process: ends it when whoever started it is gone, however that went; one that is suspended, when it is resumed.</summary>
    public static void EndWithParent()
    {
        new Thread(static () =>
        {
            while (Console.In.Read() >= 0)
            {
                // Nothing is ever written; its end is what counts.
            }

            Environment.Exit(0);
        })
        { IsBackground = true }.Start();
    }

    public static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
