using System.CommandLine;
using LlmProxy.Host.Serving;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy</c> alone, and <c>llmproxy demo</c>.</summary>
internal static class ServeCommand
{
    public static void AddTo(RootCommand root)
    {
        var (file, urls, log) = (CommonOptions.Configuration(), CommonOptions.Urls(), CommonOptions.Log());
        root.Options.Add(file);
        root.Options.Add(urls);
        root.Options.Add(log);
        root.SetAction((parsed, cancellation) => RunAsync(
            new ServeRun
            {
                ConfigurationFile = parsed.GetValue(file),
                Urls = parsed.GetValue(urls),
                WritesRecords = parsed.GetValue(log) != CommonOptions.RecordsOff,
            },
            cancellation));
    }

    public static Command CreateDemo()
    {
        var (urls, log) = (CommonOptions.Urls(), CommonOptions.Log());
        var command = new Command("demo", "Serves a built-in fake model, whatever is configured.") { urls, log };
        command.SetAction((parsed, cancellation) => RunAsync(
            new ServeRun { IsDemoForced = true, Urls = parsed.GetValue(urls), WritesRecords = parsed.GetValue(log) != CommonOptions.RecordsOff },
            cancellation));
        return command;
    }

    private static async Task<int> RunAsync(ServeRun run, CancellationToken cancellation)
    {
        await run.RunAsync(cancellation);
        return ExitCode.Done;
    }
}
