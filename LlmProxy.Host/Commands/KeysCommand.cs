using System.CommandLine;
using LlmProxy.Core.Authentication;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy keys …</c>: the API keys of callers.</summary>
internal static class KeysCommand
{
    public static Command Create() => new("keys", "Works with the API keys of callers.")
    {
        KeyCreation.Create(),
        CreateList(),
        CreateShow(),
        CreateSwitch("revoke", "Refuses a key for good, within a second. What it has under way goes on.", "/revoke", "revoked"),
        CreateSwitch("disable", "Refuses a key until it is enabled again.", "/disable", "disabled"),
        CreateSwitch("enable", "Serves a disabled key again.", "/enable", "enabled"),
        KeyCreation.CreateRotate(),
        KeyImport.Create(),
        CreateHash(),
    };

    /// <summary>A name or id as a segment of a path.</summary>
    public static string PathOf(string name) => "/keys/" + Uri.EscapeDataString(name);

    public static Argument<string> Name() => new("name") { Description = "The key's name or id." };

    private static Command CreateList()
    {
        var (server, file, json) = (CommonOptions.AdminServer(), CommonOptions.Configuration(), CommonOptions.Json());
        var group = new Option<string?>("--group") { Description = "Only the keys of this group.", HelpName = "GROUP" };
        var all = new Option<bool>("--all") { Description = "Revoked keys, too." };
        var command = new Command("list", "Lists keys. Secrets are not kept, so none is shown.") { group, all, server, file, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var admin = await AdminClient.OpenAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            var query = (parsed.GetValue(all) ? "?revoked=true" : "?revoked=false") + (parsed.GetValue(group) is { } g ? "&group=" + Uri.EscapeDataString(g) : "");
            var keys = await admin.ListAsync("/keys" + query, "keys", "id", cancellation);
            if (parsed.GetValue(json))
            {
                JsonResult.PrintList("keys", keys);
            }
            else
            {
                KeyView.WriteTable(keys, Writers.Results);
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static Command CreateShow()
    {
        var (name, server, file, json) = (Name(), CommonOptions.AdminServer(), CommonOptions.Configuration(), CommonOptions.Json());
        var command = new Command("show", "Shows one key, what it may use and what is left of it.") { name, server, file, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var admin = await AdminClient.OpenAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            var answer = await admin.GetAsync(PathOf(parsed.GetValue(name)!), cancellation);
            if (parsed.GetValue(json))
            {
                Writers.Results.WriteLine(answer.GetRawText());
            }
            else
            {
                KeyView.Write(answer, Writers.Results);
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static Command CreateSwitch(string verb, string description, string path, string done)
    {
        var (name, server, file, json) = (Name(), CommonOptions.AdminServer(), CommonOptions.Configuration(), CommonOptions.Json());
        var command = new Command(verb, description) { name, server, file, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var admin = await AdminClient.OpenAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            var answer = await admin.SendAsync(HttpMethod.Post, PathOf(parsed.GetValue(name)!) + path, null, cancellation);
            if (parsed.GetValue(json))
            {
                Writers.Results.WriteLine(answer.GetRawText());
            }
            else
            {
                Writers.People.WriteLine($"{Visible.Line(KeyView.Text(answer, "name"))} is {done}.");
            }

            return ExitCode.Done;
        });
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
