using System.CommandLine;
using System.Text.Json;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy groups …</c>: groups of keys that are kept in the store.</summary>
internal static class GroupsCommand
{
    public static Command Create() => new("groups", "Works with groups of keys.")
    {
        CreateList(),
        CreateChange("create", "Makes a group.", HttpMethod.Post),
        CreateChange("change", "Puts other settings in the place of a group's.", HttpMethod.Patch),
        CreateRemove(),
    };

    private static Command CreateList()
    {
        var (server, file, json) = (CommonOptions.AdminServer(), CommonOptions.Configuration(), CommonOptions.Json());
        var command = new Command("list", "Lists groups.") { server, file, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var admin = await AdminClient.OpenAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            var groups = await admin.ListAsync("/groups", "groups", "name", cancellation);
            if (parsed.GetValue(json))
            {
                JsonResult.PrintList("groups", groups);
                return ExitCode.Done;
            }

            var table = new TextTable(new("name"), new("from"), new("keys", true), new("settings"));
            foreach (var group in groups)
            {
                table.Add(KeyView.Text(group, "name"), KeyView.Text(group, "source"), TextTable.Number(group.GetProperty("keys").GetInt64()), group.GetProperty("settings").GetRawText());
            }

            table.Write(Writers.Results);
            return ExitCode.Done;
        });
        return command;
    }

    private static Command CreateChange(string verb, string description, HttpMethod method)
    {
        var name = new Argument<string>("name") { Description = "The group." };
        var settings = new Argument<string>("settings")
        {
            Description = "What a group has in the configuration, as a JSON object: '{\"Models\":[\"gpt-*\"],\"Budget\":{\"Month\":500}}'.",
            DefaultValueFactory = static _ => "{}",
        };
        var (server, file, json) = (CommonOptions.AdminServer(), CommonOptions.Configuration(), CommonOptions.Json());
        var command = new Command(verb, description) { name, settings, server, file, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var admin = await AdminClient.OpenAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            var group = parsed.GetValue(name)!;
            var written = Parse(parsed.GetValue(settings)!);
            var answer = await admin.SendAsync(method, method == HttpMethod.Post ? "/groups" : PathOf(group), body =>
            {
                body.WriteString("name"u8, group);
                body.WritePropertyName("settings"u8);
                written.WriteTo(body);
            }, cancellation);
            if (parsed.GetValue(json))
            {
                Writers.Results.WriteLine(answer.GetRawText());
            }
            else
            {
                Writers.People.WriteLine($"{Visible.Line(group)} is as you wrote it.");
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static Command CreateRemove()
    {
        var name = new Argument<string>("name") { Description = "The group. Its keys are refused from then on." };
        var (server, file) = (CommonOptions.AdminServer(), CommonOptions.Configuration());
        var command = new Command("remove", "Removes a group.") { name, server, file };
        command.SetAction(async (parsed, cancellation) =>
        {
            await using var admin = await AdminClient.OpenAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            await admin.SendAsync(HttpMethod.Delete, PathOf(parsed.GetValue(name)!), null, cancellation);
            Writers.People.WriteLine($"{Visible.Line(parsed.GetValue(name)!)} is gone.");
            return ExitCode.Done;
        });
        return command;
    }

    private static string PathOf(string name) => "/groups/" + Uri.EscapeDataString(name);

    private static JsonElement Parse(string text)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            return json.RootElement.Clone();
        }
        catch (JsonException)
        {
            throw new RefusedException("The settings are no JSON object. Write them like '{\"Models\":[\"gpt-*\"]}'.");
        }
    }
}
