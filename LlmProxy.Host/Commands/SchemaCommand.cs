using System.CommandLine;
using LlmProxy.Core.Configuration;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy schema</c>: what editors complete and check a configuration by.</summary>
internal static class SchemaCommand
{
    public static Command Create()
    {
        var command = new Command("schema", "Prints the JSON schema of the configuration, by which editors complete and check it.");
        command.SetAction(static _ =>
        {
            Writers.Results.Write(LlmProxyConfiguration.Schema);
            return ExitCode.Done;
        });
        return command;
    }
}
