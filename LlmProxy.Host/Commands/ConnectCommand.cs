using System.CommandLine;
using System.Text.Json;
using LlmProxy.Host.Clients;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy connect claude|codex|…</c>: prints what points a client here.</summary>
internal static class ConnectCommand
{
    public static Command Create()
    {
        var client = new Argument<string>("client") { Description = string.Join(", ", KnownClient.All.Select(static known => $"{known.Name} ({known.Title})")) + "." };
        client.AcceptOnlyFromAmong([.. KnownClient.All.Select(static known => known.Name)]);
        var model = new Option<string?>("--model") { Description = "The model. Default: the first that suits the client.", HelpName = "MODEL" };
        var key = new Option<string?>("--key") { Description = $"An API key to write out. Default: none, it is taken from {Connection.KeyVariable}.", HelpName = "KEY" };
        var creation = new Option<string?>("--create-key") { Description = "Makes a key of that name and writes it out, once. One with limits: llmproxy keys create.", HelpName = "NAME" };
        var server = CommonOptions.Url(
            "--server",
            $"An instance elsewhere: its admin address, with the key in {AdminClient.KeyVariable}; without one, the address of its API, and nobody is asked. Default: the instance that runs here with this configuration.",
            "http://127.0.0.1:8000");
        var address = CommonOptions.Url("--base-url", "The address that clients use, where that is not the instance's own.", "https://llm.example.com");
        var (file, json) = (CommonOptions.Configuration(), CommonOptions.Json());
        var command = new Command("connect", "Prints what points a client here: variables, a part of a settings file, or a program.")
        {
            client, model, key, creation, server, address, file, json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(key) is not null && result.GetResult(creation) is not null)
            {
                result.AddError("--key and --create-key exclude each other.");
            }
        });
        command.SetAction(async (parsed, cancellation) =>
        {
            var known = KnownClient.All.First(one => one.Name == parsed.GetValue(client));
            var api = await ServedApi.FindAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            Warn(api.Warning);
            var given = Checked(parsed.GetValue(key));
            var choice = ModelChoice.Make(known, api.Outline, parsed.GetValue(model), await AllowedAsync(api, given, cancellation), api.IsDemo);
            Warn(choice.Warning);

            // Last: what was refused must leave no key behind.
            var made = parsed.GetValue(creation) is { } name ? await CreateKeyAsync(name, parsed.GetValue(server), parsed.GetValue(file), cancellation) : (JsonElement?)null;
            var connection = new Connection
            {
                Root = Connection.RootOf(parsed.GetValue(address) ?? api.Address),
                Model = choice.Model,
                Suited = choice.Suited,
                ServesOwnNames = choice.ServesOwnNames,
                Key = made is { } answer ? KeyView.Text(answer, "key") : given,
            };
            Print(known, connection, made, parsed.GetValue(json));
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>Null where it makes no difference: no key, or nobody who could say.</summary>
    private static async Task<IReadOnlyList<string>?> AllowedAsync(ServedApi api, string? key, CancellationToken cancellation)
    {
        if (key is null || !api.IsRunning)
        {
            return null;
        }

        var (models, failure) = await api.ModelsForAsync(key, cancellation);
        Warn(failure is null ? null : $"The key could not be tried: {failure}");
        return models;
    }

    private static async Task<JsonElement> CreateKeyAsync(string name, Uri? server, string? file, CancellationToken cancellation)
    {
        await using var admin = await AdminClient.OpenAsync(server, file, cancellation);
        return await admin.SendAsync(HttpMethod.Post, "/keys", body => body.WriteString("name"u8, name), cancellation);
    }

    /// <summary>It goes into a header: what cannot stand there is no key, and no client would say so as plainly.</summary>
    private static string? Checked(string? key) => key is null || (key.Length > 0 && !key.AsSpan().ContainsAnyExceptInRange('!', '~'))
        ? key
        : throw new RefusedException("--key takes visible ASCII characters only.");

    private static void Warn(string? warning)
    {
        if (warning is not null)
        {
            Writers.People.WriteLine("warn   " + warning);
        }
    }

    private static void Print(KnownClient client, Connection connection, JsonElement? made, bool asJson)
    {
        var setup = client.SetUp(connection);
        if (asJson)
        {
            PrintJson(client, connection, setup);
            return;
        }

        Writers.Results.Write(setup.Text);
        Writers.Results.Flush();
        ConnectWords.Write(client, connection, setup, made, Writers.People);
    }

    private static void PrintJson(KnownClient client, Connection connection, ClientSetup setup) => JsonResult.Print(json =>
    {
        json.WriteString("client"u8, client.Name);
        json.WriteString("base_url"u8, setup.BaseUrl);
        json.WriteString("model"u8, connection.Model);
        json.WriteString("key"u8, connection.Key);
        json.WriteStartObject("variables"u8);
        foreach (var (name, value) in setup.Variables)
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
        json.WriteStartObject("files"u8);
        if (setup.File is { } file)
        {
            json.WriteString(file.Key, file.Value);
        }

        json.WriteEndObject();
        json.WriteString("snippet"u8, setup.Snippet);
    });
}
