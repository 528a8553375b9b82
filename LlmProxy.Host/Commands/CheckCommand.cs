using System.CommandLine;
using LlmProxy.Core.Configuration;
using LlmProxy.Host.Listening;
using LlmProxy.Host.Sources;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy check</c>: everything that is wrong with the configuration, without starting anything.</summary>
internal static class CheckCommand
{
    public static Command Create()
    {
        var (file, json) = (CommonOptions.Configuration(), CommonOptions.Json());
        var online = new Option<bool>("--online")
        {
            Description = "Asks every upstream for its models, and compares with the instance that runs here: what changes, and who would lose access.",
        };
        var against = new Option<string>("--against")
        {
            Description = "With --online: the file that the running instance was started with. Default: the one that is checked, else the only instance that runs here.",
            HelpName = "FILE",
        };
        var store = new Option<bool>("--store") { Description = "Looks through the whole store as well, and changes nothing in it; an instance may run meanwhile." };
        var command = new Command(
            "check",
            "Reads the configuration and prints what is wrong with it. Exit code 0: usable, 1: not, 3: usable, and --online found an upstream down, access taken away, or several instances and no --against.")
        {
            file, online, against, store, json,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            var variables = new UpstreamVariables();
            var source = ConfigurationLookup.Find(parsed.GetValue(file), variables);
            var (problems, configuration) = Check(source, variables);
            if (parsed.GetValue(store) && !problems.Any(static problem => problem.IsError))
            {
                problems = [.. problems, .. await StoreCheck.RunAsync(configuration, cancellation)];
            }

            var isUsable = !problems.Any(static problem => problem.IsError);
            var found = parsed.GetValue(online) && isUsable && configuration is not null
                ? await OnlineCheck.RunAsync(configuration, parsed.GetValue(against), cancellation)
                : null;
            if (parsed.GetValue(json))
            {
                PrintJson(source, problems, isUsable, found);
            }
            else
            {
                Print(source, problems, isUsable, found);
            }

            return !isUsable ? ExitCode.Failed : found is { IsDoubtful: true } ? ExitCode.Doubtful : ExitCode.Done;
        });
        return command;
    }

    /// <summary>All that is wrong; the configuration is null if it could not even be read, or if there is none.</summary>
    private static (IReadOnlyList<ConfigurationProblem> Problems, LoadedConfiguration? Configuration) Check(ConfigurationSource source, UpstreamVariables variables)
    {
        if (source.Kind == SourceKind.Nothing)
        {
            return ([], null);
        }

        try
        {
            var configuration = LoadedConfiguration.Read(source, variables);
            var problems = new List<ConfigurationProblem>(configuration.Warnings);
            if (source.Kind == SourceKind.Variables)
            {
                problems.AddRange(LlmProxyConfiguration.Validate(configuration.Options));
            }

            var plan = ListenPlan.Make(urls: null, configuration.Options.Listen);
            ListenRules.Refuse(plan, configuration);
            problems.AddRange(ListenRules.Warnings(plan, configuration).Select(static text => new ConfigurationProblem(false, 0, "", text)));
            return (problems, configuration);
        }
        catch (LlmProxyConfigurationException unusable)
        {
            return (unusable.Problems, null);
        }
        catch (RefusedException refused)
        {
            return ([new ConfigurationProblem(true, 0, "", refused.Message)], null);
        }
    }

    private static void Print(ConfigurationSource source, IReadOnlyList<ConfigurationProblem> problems, bool isUsable, OnlineCheck? online)
    {
        Writers.People.WriteLine(source.Kind == SourceKind.Nothing ? "Nothing is configured: llmproxy would serve the demo." : $"Checked: {source.Description}");
        foreach (var problem in problems)
        {
            Writers.Results.WriteLine(problem.ToString());
        }

        online?.Print();
        var errors = problems.Count(static problem => problem.IsError);
        Writers.Results.WriteLine(online is { IsDoubtful: true } && problems.Count == 0
            ? "usable" + online.Summary
            : $"{Count(errors, "error")}, {Count(problems.Count - errors, "warning")}: {(isUsable ? "usable" : "not usable")}{online?.Summary}");
    }

    private static string Count(int number, string what) => number == 1 ? $"1 {what}" : $"{number} {what}s";

    private static void PrintJson(ConfigurationSource source, IReadOnlyList<ConfigurationProblem> problems, bool isUsable, OnlineCheck? online) => JsonResult.Print(json =>
    {
        json.WriteBoolean("usable"u8, isUsable);
        json.WriteString("source"u8, source.Description);
        ConfigurationProblem.WriteAll(json, problems);
        online?.Write(json);
    });
}
