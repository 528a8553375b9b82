using System.CommandLine;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy completion bash|zsh|fish</c>: prints what a shell needs to complete commands and options.</summary>
internal static class CompletionCommand
{
    // The parser itself says what may follow, by its directive [suggest:POSITION]; a shell only has to ask and to offer.
    private const string Bash = """
        _llmproxy() {
          local IFS=$'\n'
          COMPREPLY=( $(compgen -W "$(llmproxy "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}") )
        }
        complete -o default -F _llmproxy llmproxy
        """;

    private const string Zsh = """
        #compdef llmproxy
        _llmproxy() {
          local -a found
          found=("${(@f)$(llmproxy "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
          compadd -a found
        }
        compdef _llmproxy llmproxy
        """;

    private const string Fish = """
        function __llmproxy
          set -l line (commandline -cp)
          llmproxy "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -c llmproxy -f -a '(__llmproxy)'
        """;

    public static Command Create()
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh or fish." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", "Prints a completion script: source <(llmproxy completion bash).") { shell };
        command.SetAction(parsed =>
        {
            Writers.Results.WriteLine(parsed.GetValue(shell) switch { "bash" => Bash, "zsh" => Zsh, _ => Fish });
            return ExitCode.Done;
        });
        return command;
    }
}
