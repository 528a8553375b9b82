using System.CommandLine;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy ask "…"</c>: streams an answer from a running instance.</summary>
internal static class AskCommand
{
    private const string KeyVariable = "LLMPROXY_CLIENT_KEY";

    public static Command Create()
    {
        var question = new Argument<string?>("question") { Description = "What to ask; without it, standard input.", Arity = ArgumentArity.ZeroOrOne };
        var server = new Option<Uri>("--server")
        {
            Description = "The instance to ask.",
            HelpName = "URL",
            DefaultValueFactory = static _ => new Uri("http://127.0.0.1:8000"),
            CustomParser = static result =>
            {
                if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var url) && url.Scheme is "http" or "https")
                {
                    return url;
                }

                result.AddError("--server has to be an address such as http://127.0.0.1:8000");
                return null;
            },
        };
        var key = new Option<string?>("--key") { Description = $"An API key. Default: {KeyVariable}.", HelpName = "KEY" };
        var model = new Option<string?>("--model") { Description = "The model. Default: the first that the instance lists.", HelpName = "MODEL" };

        var command = new Command("ask", "Asks a running instance and prints the answer as it comes.") { question, server, key, model };
        command.SetAction(async (parsed, cancellation) =>
        {
            var text = parsed.GetValue(question) ?? await ReadInputAsync(cancellation);
            var secret = parsed.GetValue(key) ?? Environment.GetEnvironmentVariable(KeyVariable);
            using var instance = new AskedInstance(parsed.GetValue(server)!, secret);
            var asked = parsed.GetValue(model) ?? await instance.FindModelAsync(cancellation);
            await instance.AskAsync(asked, text, Writers.Results, cancellation);
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<string> ReadInputAsync(CancellationToken cancellation) => Console.IsInputRedirected
        ? await Console.In.ReadToEndAsync(cancellation)
        : throw new RefusedException("Nothing was asked. Write it like: llmproxy ask \"hello\"");
}
