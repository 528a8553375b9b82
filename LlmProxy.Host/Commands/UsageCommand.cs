using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy usage</c>: what was used and what it cost.</summary>
internal static class UsageCommand
{
    public static Command Create()
    {
        var filters = new UsageFilters();
        var by = new Option<string[]>("--by")
        {
            Description = "What sums are for: group, key, user, model, upstream, time; several with commas. Default: model.",
            HelpName = "WHAT",
            AllowMultipleArgumentsPerToken = true,
        };
        var bucket = new Option<string?>("--bucket") { Description = "With --by time: hour, day or month. Default: day.", HelpName = "LENGTH" };
        var rows = new Option<bool>("--rows") { Description = "The rows themselves, one JSON object on a line." };
        var (server, file, json) = (CommonOptions.AdminServer(), CommonOptions.Configuration(), CommonOptions.Json());
        var command = new Command("usage", "Adds up the ledger. Tokens in millions, money in US dollars.") { by, bucket, rows, server, file, json };
        filters.AddTo(command);
        command.Subcommands.Add(CreateReprice());
        command.Subcommands.Add(CreateErase());
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var admin = await AdminClient.OpenAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            var query = filters.Query(parsed);
            if (parsed.GetValue(rows))
            {
                await using var output = Console.OpenStandardOutput();
                await admin.CopyAsync("/usage/rows" + query, output, cancellation);
                return ExitCode.Done;
            }

            var wanted = string.Join(',', parsed.GetValue(by) is { Length: > 0 } b ? b : ["model"]);
            query += $"{(query.Length == 0 ? "?" : "&")}by={Uri.EscapeDataString(wanted)}&bucket={Uri.EscapeDataString(parsed.GetValue(bucket) ?? "day")}";
            var answer = await admin.GetAsync("/usage" + query, cancellation, isLong: true);
            if (parsed.GetValue(json))
            {
                Writers.Results.WriteLine(answer.GetRawText());
            }
            else
            {
                UsageView.Write(answer, Writers.Results);
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static Command CreateReprice()
    {
        var filters = new UsageFilters();
        var trial = new Option<bool>("--dry-run") { Description = "Only says what would change." };
        var (server, file, json) = (CommonOptions.AdminServer(), CommonOptions.Configuration(), CommonOptions.Json());
        var command = new Command("reprice", "Works out again what rows cost, by the prices that are configured now. Budgets follow.") { trial, server, file, json };
        filters.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var admin = await AdminClient.OpenAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            var isTrial = parsed.GetValue(trial);
            var answer = await admin.SendAsync(HttpMethod.Post, "/usage/reprice" + filters.Query(parsed) + (isTrial ? "&trial=true" : ""), null, cancellation, isLong: true);
            var (before, after) = (answer.GetProperty("before").GetDecimal(), answer.GetProperty("after").GetDecimal());
            Print(answer, parsed.GetValue(json), $"rows {(isTrial ? "would have" : "have")} another cost: {TextTable.Dollars(before)} USD before, {TextTable.Dollars(after)} after, {answer.GetProperty("unpriced").GetInt64()} without a price.");
            return ExitCode.Done;
        });
        return command;
    }

    private static Command CreateErase()
    {
        var user = new Argument<string>("user") { Description = "The end user, as the trusted header names it." };
        var (server, file, json) = (CommonOptions.AdminServer(), CommonOptions.Configuration(), CommonOptions.Json());
        var command = new Command("erase", "Takes an end user's name out of the ledger. Its rows stay, with what they cost.") { user, server, file, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var admin = await AdminClient.OpenAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            var answer = await admin.SendAsync(HttpMethod.Delete, "/end-users/" + Uri.EscapeDataString(parsed.GetValue(user)!), null, cancellation, isLong: true);
            Print(answer, parsed.GetValue(json), "rows name that user no longer.");
            return ExitCode.Done;
        });
        return command;
    }

    private static void Print(JsonElement answer, bool asJson, string words)
    {
        if (asJson)
        {
            Writers.Results.WriteLine(answer.GetRawText());
        }
        else
        {
            Writers.People.WriteLine($"{answer.GetProperty("changed").GetInt64().ToString(CultureInfo.InvariantCulture)} {words}");
        }
    }
}

/// <summary>Which rows of the ledger, on the command line.</summary>
internal sealed class UsageFilters
{
    private readonly Option<string?> _since = new("--since") { Description = "From then on: a date, an instant, or how long ago (30d, 12h). Default: 30d.", HelpName = "TIME" };
    private readonly Option<string?> _until = new("--until") { Description = "Before then. Default: now.", HelpName = "TIME" };
    private readonly Dictionary<string, Option<string[]>> _names = new(StringComparer.Ordinal)
    {
        ["key"] = new("--key") { Description = "Of this key only; several times.", HelpName = "NAME" },
        ["group"] = new("--group") { Description = "Of this group only.", HelpName = "NAME" },
        ["user"] = new("--user") { Description = "Of this end user only.", HelpName = "NAME" },
        ["model"] = new("--model") { Description = "Of this model only, as configured.", HelpName = "NAME" },
        ["upstream"] = new("--upstream") { Description = "Of this upstream only.", HelpName = "NAME" },
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_since);
        command.Options.Add(_until);
        foreach (var option in _names.Values)
        {
            command.Options.Add(option);
        }
    }

    /// <summary>As a query with its question mark.</summary>
    public string Query(ParseResult parsed)
    {
        var parts = new List<string> { "since=" + Uri.EscapeDataString(parsed.GetValue(_since) ?? "30d") };
        if (parsed.GetValue(_until) is { } until)
        {
            parts.Add("until=" + Uri.EscapeDataString(until));
        }

        foreach (var (name, option) in _names)
        {
            parts.AddRange((parsed.GetValue(option) ?? []).Select(value => $"{name}={Uri.EscapeDataString(value)}"));
        }

        return "?" + string.Join('&', parts);
    }
}
