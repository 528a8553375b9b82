using System.CommandLine;
using LlmProxy.Core.Authentication;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy keys …</c>: the API keys of callers.</summary>
internal static class KeysCommand
{
    public static Command Create()
    {
        var command = new Command("keys", "Works with the API keys of callers.") { CreateHash() };
        return command;
    }

    /// <summary>From standard input, since arguments stand in the shell's history and in the list of processes.</summary>
    private static Command CreateHash()
    {
        var command = new Command("hash", "Reads a key from standard input and prints what to write as its Hash in the configuration.");
        command.SetAction(static _ =>
        {
            if (!Console.IsInputRedirected)
            {
                Writers.People.Write("Key: ");
            }

            var key = Console.In.ReadLine()?.Trim();
            if (string.IsNullOrEmpty(key) || key.AsSpan().ContainsAnyExceptInRange('!', '~'))
            {
                throw new RefusedException("A key is one line of visible ASCII characters on standard input.");
            }

            Writers.Results.WriteLine(ApiKeys.Hash(key));
            return ExitCode.Done;
        });
        return command;
    }
}
