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
        var command = new Command("check", "Reads the configuration and prints what is wrong with it. Exit code 0: usable, 1: not.") { file, json };
        command.SetAction(parsed =>
        {
            var variables = new UpstreamVariables();
            var source = ConfigurationLookup.Find(parsed.GetValue(file), variables);
            var problems = Check(source, variables);
            var isUsable = !problems.Any(static problem => problem.IsError);
            if (parsed.GetValue(json))
            {
                PrintJson(source, problems, isUsable);
            }
            else
            {
                Print(source, problems, isUsable);
            }

            return isUsable ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    private static IReadOnlyList<ConfigurationProblem> Check(ConfigurationSource source, UpstreamVariables variables)
    {
        if (source.Kind == SourceKind.Nothing)
        {
            return [];
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
            return problems;
        }
        catch (LlmProxyConfigurationException unusable)
        {
            return unusable.Problems;
        }
        catch (RefusedException refused)
        {
            return [new ConfigurationProblem(true, 0, "", refused.Message)];
        }
    }

    private static void Print(ConfigurationSource source, IReadOnlyList<ConfigurationProblem> problems, bool isUsable)
    {
        Writers.People.WriteLine(source.Kind == SourceKind.Nothing ? "Nothing is configured: llmproxy would serve the demo." : $"Checked: {source.Description}");
        foreach (var problem in problems)
        {
            Writers.Results.WriteLine(problem.ToString());
        }

        var errors = problems.Count(static problem => problem.IsError);
        Writers.Results.WriteLine($"{Count(errors, "error")}, {Count(problems.Count - errors, "warning")}: {(isUsable ? "usable" : "not usable")}");
    }

    private static string Count(int number, string what) => number == 1 ? $"1 {what}" : $"{number} {what}s";

    private static void PrintJson(ConfigurationSource source, IReadOnlyList<ConfigurationProblem> problems, bool isUsable) => JsonResult.Print(json =>
    {
        json.WriteBoolean("usable"u8, isUsable);
        json.WriteString("source"u8, source.Description);
        json.WriteStartArray("problems"u8);
        foreach (var problem in problems)
        {
            json.WriteStartObject();
            json.WriteString("severity"u8, problem.IsError ? "error"u8 : "warning"u8);
            if (problem.Line > 0)
            {
                json.WriteNumber("line"u8, problem.Line);
            }

            json.WriteString("path"u8, problem.Path);
            json.WriteString("message"u8, problem.Message);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });
}
