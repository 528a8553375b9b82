using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy keys create</c> and <c>keys rotate</c>: what comes of them is a secret that is shown once.</summary>
internal static class KeyCreation
{
    public static Command Create()
    {
        var name = new Argument<string>("name") { Description = "What the key is called in records, limits and usage." };
        var settings = new KeySettingOptions();
        var (server, file, json) = (CommonOptions.AdminServer(), CommonOptions.Configuration(), CommonOptions.Json());
        var command = new Command("create", "Makes a key and prints it, once: KEY=$(llmproxy keys create ci).") { name };
        settings.AddTo(command);
        command.Options.Add(server);
        command.Options.Add(file);
        command.Options.Add(json);
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var admin = await AdminClient.OpenAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            var answer = await admin.SendAsync(HttpMethod.Post, "/keys", body =>
            {
                body.WriteString("name"u8, parsed.GetValue(name));
                settings.Write(body, parsed);
            }, cancellation);
            Print(answer, parsed.GetValue(json));
            return ExitCode.Done;
        });
        return command;
    }

    public static Command CreateRotate()
    {
        var (name, server, file, json) = (KeysCommand.Name(), CommonOptions.AdminServer(), CommonOptions.Configuration(), CommonOptions.Json());
        var overlap = new Option<string?>("--overlap")
        {
            Description = "How long the old secret is accepted beside the new one, for example 24h. Default: not at all.",
            HelpName = "TIME",
        };
        var command = new Command("rotate", "Gives a key a new secret and prints it, once. Id, limits and usage stay.") { name, overlap, server, file, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var admin = await AdminClient.OpenAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            var answer = await admin.SendAsync(HttpMethod.Post, KeysCommand.PathOf(parsed.GetValue(name)!) + "/rotate", body =>
            {
                if (parsed.GetValue(overlap) is { } time)
                {
                    body.WriteString("overlap"u8, time);
                }
            }, cancellation);
            Print(answer, parsed.GetValue(json));
            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(JsonElement answer, bool asJson)
    {
        if (asJson)
        {
            Writers.Results.WriteLine(answer.GetRawText());
            return;
        }

        Writers.Results.Write(KeyView.Text(answer, "key"));
        Writers.Results.Flush();

        // On a terminal both stand on one line; in a script only the key is caught.
        if (!Console.IsOutputRedirected)
        {
            Writers.People.Write("        shown once");
        }

        Writers.Results.WriteLine();
        KeyView.Write(answer, Writers.People);
    }
}

/// <summary>What a key may be given on the command line.</summary>
internal sealed class KeySettingOptions
{
    private readonly Option<string?> _group = new("--group") { Description = "The group it belongs to.", HelpName = "GROUP" };
    private readonly Option<string?> _expires = new("--expires") { Description = "A date (to its end) or an instant from which on it is refused.", HelpName = "DATE" };
    private readonly Option<string[]> _models = new("--model") { Description = "A model, alias or pattern it may use; several times. Default: all that its group may.", HelpName = "MODEL" };
    private readonly Option<int?> _requests = new("--rpm") { Description = "Requests that may begin in a minute.", HelpName = "N" };
    private readonly Option<long?> _tokens = new("--tpm") { Description = "Tokens in a minute.", HelpName = "N" };
    private readonly Option<int?> _concurrent = new("--concurrent") { Description = "Requests at one time.", HelpName = "N" };
    private readonly Option<decimal?> _day = new("--budget-day") { Description = "US dollars in a calendar day.", HelpName = "USD", CustomParser = Money };
    private readonly Option<decimal?> _month = new("--budget-month") { Description = "US dollars in a calendar month.", HelpName = "USD", CustomParser = Money };
    private readonly Option<decimal?> _total = new("--budget") { Description = "US dollars for ever.", HelpName = "USD", CustomParser = Money };
    private readonly Option<string[]> _metadata = new("--metadata") { Description = "NAME=VALUE to remember with it; several times.", HelpName = "NAME=VALUE" };

    public void AddTo(Command command)
    {
        Option[] all = [_group, _expires, _models, _requests, _tokens, _concurrent, _day, _month, _total, _metadata];
        foreach (var option in all)
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Writes those that were given, as the member <c>settings</c> of the body.</summary>
    public void Write(Utf8JsonWriter body, ParseResult parsed)
    {
        body.WriteStartObject("settings"u8);
        if (parsed.GetValue(_group) is { } group)
        {
            body.WriteString("Group"u8, group);
        }

        if (parsed.GetValue(_expires) is { } expires)
        {
            body.WriteString("Expires"u8, expires);
        }

        WriteLists(body, parsed);
        Number("RequestsPerMinute", parsed.GetValue(_requests));
        Number("TokensPerMinute", parsed.GetValue(_tokens));
        Number("Concurrent", parsed.GetValue(_concurrent));
        if (parsed.GetValue(_day) is not null || parsed.GetValue(_month) is not null || parsed.GetValue(_total) is not null)
        {
            body.WriteStartObject("Budget"u8);
            Number("Day", parsed.GetValue(_day));
            Number("Month", parsed.GetValue(_month));
            Number("Total", parsed.GetValue(_total));
            body.WriteEndObject();
        }

        body.WriteEndObject();

        void Number(string name, decimal? value)
        {
            if (value is { } number)
            {
                body.WriteNumber(name, number);
            }
        }
    }

    private void WriteLists(Utf8JsonWriter body, ParseResult parsed)
    {
        if (parsed.GetValue(_models) is { Length: > 0 } models)
        {
            body.WriteStartArray("Models"u8);
            foreach (var model in models)
            {
                body.WriteStringValue(model);
            }

            body.WriteEndArray();
        }

        if (parsed.GetValue(_metadata) is { Length: > 0 } metadata)
        {
            body.WriteStartObject("Metadata"u8);
            foreach (var pair in metadata)
            {
                var at = pair.IndexOf('=', StringComparison.Ordinal);
                body.WriteString(at < 0 ? pair : pair[..at], at < 0 ? "" : pair[(at + 1)..]);
            }

            body.WriteEndObject();
        }
    }

    // The library would read it in the culture of the machine.
    private static decimal? Money(System.CommandLine.Parsing.ArgumentResult result)
    {
        if (decimal.TryParse(result.Tokens[0].Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value))
        {
            return value;
        }

        result.AddError($"{result.Tokens[0].Value} is no sum of US dollars. Write it like 12.50.");
        return null;
    }
}
