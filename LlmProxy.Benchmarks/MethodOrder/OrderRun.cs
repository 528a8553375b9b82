using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using LlmProxy.Benchmarks.MethodProfile;
using LlmProxy.Benchmarks.StreamLatency.Load;
using LlmProxy.Benchmarks.StreamLatency.Targets;

namespace LlmProxy.Benchmarks.MethodOrder;

/// <summary>
/// <c>-- order</c>: writes down which methods of the executable run, most often called first, for the compiler to put them next to each
/// other in that order. A request runs some thousand methods; spread over all of the program they take several times the pages and cache lines.
/// </summary>
internal static class OrderRun
{
    private const string Program = "valgrind";
    private const string Head = """
        # The order of methods in the executable, most often called first, as `-- order` of LlmProxy.Benchmarks has written it. What is not
        # listed comes behind them. A name that is no method's is passed over: nothing breaks when this file is older than the code.
        """;

    // Enough that what each request calls stands before what the start calls often. Callgrind makes everything fifty times slower.
    private static readonly Func<int, LoadPlan>[] _plans =
    [
        static port => new LoadPlan(port, 32, false, 0, 0, 60, 60, 0, 0),
        static port => new LoadPlan(port, 16, true, 100, 0, 6, 60, 0, 0),
        static port => new LoadPlan(port, 32, true, 5, 200_000, 1, 60, 0, 4),
    ];

    /// <returns>The exit code: 1 if something that is needed is not there, or did not work.</returns>
    public static async Task<int> RunAsync()
    {
        if (ExecutableTarget.Source() is not { } source)
        {
            Console.Error.WriteLine("The source is not there.");
            return 1;
        }

        var folder = Directory.CreateTempSubdirectory("llmproxy-order-").FullName;
        try
        {
            var profile = Path.Combine(folder, "profile");
            // The collector reserves twice the machine's memory and more, for which there may be no addresses left. Hexadecimal: 512 MB.
            var target = new ExecutableTarget(
                null, new Profiler([Program, "--tool=callgrind", "--callgrind-out-file=" + profile], new() { ["DOTNET_GCHeapHardLimit"] = "20000000" }));
            if (target.Prepare(Console.WriteLine) is { } reason)
            {
                throw new InvalidOperationException(reason);
            }

            // Valgrind gives up on debug information newer than itself; the names of methods are not part of that.
            await Process.Start("strip", ["--strip-debug", target.Program!]).WaitForExitAsync();
            await ProfiledExecutable.RunAsync(target, _plans);
            var methods = CallgrindProfile.MethodsOf(File.ReadLines(profile), target.Program!);
            var output = Path.Combine(source, "LlmProxy.Host", "methods.order");
            await File.WriteAllTextAsync(output, $"{Head}\n{string.Join('\n', methods)}\n");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Written: {methods.Count} methods in {output}"));
            return 0;
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception or IOException or OperationCanceledException)
        {
            Console.Error.WriteLine($"{e.Message} Needed: Linux, binutils and valgrind.");
            return 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
