using System.Globalization;
using System.Text.Json;
using LlmProxy.Benchmarks.StreamLatency.Load;
using LlmProxy.Benchmarks.StreamLatency.Reports;
using LlmProxy.Benchmarks.StreamLatency.Targets;

namespace LlmProxy.Benchmarks.StreamLatency;

/// <summary><c>stream</c>: the comparison, and the parts of it that it starts as processes.</summary>
public static class StreamCommand
{
    /// <returns>The exit code: 1 if an answer was not right, 2 if the arguments were not.</returns>
    public static async Task<int> RunAsync(string[] arguments)
    {
        switch (arguments)
        {
            case ["upstream", var port]:
                OwnProcess.EndWithParent();
                await LoadUpstream.RunAsync(Number(port));
                return 0;
            case ["client", var plan]:
                Console.Out.WriteLine(JsonSerializer.Serialize(await LoadClient.RunAsync(JsonSerializer.Deserialize<LoadPlan>(plan)!)));
                return 0;
            case ["library", var port, var upstream]:
                OwnProcess.EndWithParent();
                await LibraryApp.RunAsync(Number(port), Number(upstream));
                return 0;
            case ["yarp", var port, var upstream]:
                OwnProcess.EndWithParent();
                await YarpApp.RunAsync(Number(port), Number(upstream));
                return 0;
            case ["report", var folder]:
                ResultFiles.Write(ResultFiles.Read(folder), folder);
                return 0;
            case ["compare", .. var options]:
                OwnProcess.EndWithParent();
                return await CompareAsync(options);
            default:
                return await OwnProcess.CompareAsync(arguments);
        }
    }

    private static async Task<int> CompareAsync(string[] arguments)
    {
        try
        {
            return await new StreamRun(StreamOptions.Parse(arguments), Console.Out).RunAsync();
        }
        catch (FormatException e)
        {
            Console.Error.WriteLine(e.Message);
            return 2;
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
