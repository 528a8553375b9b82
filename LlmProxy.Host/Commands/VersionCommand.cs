using System.CommandLine;
using System.Runtime.InteropServices;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy version</c>.</summary>
internal static class VersionCommand
{
    public static Command Create()
    {
        var json = CommonOptions.Json();
        var command = new Command("version", "Prints the version.") { json };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(json))
            {
                JsonResult.Print(static writer =>
                {
                    writer.WriteString("version"u8, ProductVersion.Full);
                    writer.WriteString("runtime"u8, RuntimeInformation.FrameworkDescription);
                    writer.WriteString("platform"u8, RuntimeInformation.RuntimeIdentifier);
                });
            }
            else
            {
                Terminal.Writers.Results.WriteLine(ProductVersion.Short);
            }

            return ExitCode.Done;
        });
        return command;
    }
}
