using System.CommandLine;
using System.CommandLine.Invocation;
using LlmProxy.Core.Configuration;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary>The commands of the executable, and the one place where what goes wrong becomes a message and an exit code.</summary>
internal static class CommandLine
{
    public static async Task<int> RunAsync(string[] arguments)
    {
        var parsed = Create().Parse(arguments);
        if (parsed.Action is ParseErrorAction wrong)
        {
            wrong.ShowHelp = false;
            // Suggestions are words for people too.
            parsed.Invoke(new InvocationConfiguration { Output = Writers.People, Error = Writers.People });
            Writers.People.WriteLine("See: llmproxy --help");
            return ExitCode.WrongUsage;
        }

        try
        {
            // Signals are the server's own: it ends its streams first. The other commands may simply die.
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (RefusedException refused)
        {
            Writers.People.WriteLine("llmproxy: " + refused.Message);
            return ExitCode.Failed;
        }
        catch (LlmProxyConfigurationException unusable)
        {
            Writers.People.WriteLine("llmproxy: " + unusable.Message);
            return ExitCode.Failed;
        }
        catch (Exception fault)
        {
            // A fault of ours: here alone the whole trace is of use to somebody.
            Writers.People.WriteLine("llmproxy: internal error: " + fault);
            return ExitCode.Failed;
        }
    }

    private static RootCommand Create()
    {
        var root = new RootCommand($"A proxy for large language models. Without a command it serves.\n\n{ExitCode.Help}");
        ServeCommand.AddTo(root);
        root.Subcommands.Add(ServeCommand.CreateDemo());
        root.Subcommands.Add(InitCommand.Create());
        root.Subcommands.Add(CheckCommand.Create());
        root.Subcommands.Add(SchemaCommand.Create());
        root.Subcommands.Add(AskCommand.Create());
        root.Subcommands.Add(ConnectCommand.Create());
        root.Subcommands.Add(KeysCommand.Create());
        root.Subcommands.Add(GroupsCommand.Create());
        root.Subcommands.Add(UsageCommand.Create());
        root.Subcommands.Add(MigrateCommand.Create());
        root.Subcommands.Add(CompletionCommand.Create());
        root.Subcommands.Add(VersionCommand.Create());
        return root;
    }
}
