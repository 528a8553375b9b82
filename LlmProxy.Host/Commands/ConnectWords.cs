using System.Net;
using System.Text.Json;
using LlmProxy.Host.Clients;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary>What people are told beside what they paste.</summary>
internal static class ConnectWords
{
    /// <param name="client">Which client.</param>
    /// <param name="connection">What it is told.</param>
    /// <param name="setup">How.</param>
    /// <param name="made">The admin API's answer if a key was made.</param>
    /// <param name="output">Where to.</param>
    public static void Write(KnownClient client, Connection connection, ClientSetup setup, JsonElement? made, TextWriter output)
    {
        output.WriteLine();
        output.WriteLine($"{client.Title} at {Visible.Line(setup.BaseUrl)}{(connection.Model is { } model ? $", model {Visible.Line(model)}" : "")}");
        Line("put", setup.Put);
        WriteKey(connection, setup, made, output);
        if (connection.Model is null && !client.ListsModels)
        {
            Line("model", client.OwnNames is { } own
                ? $"none is named: it asks for {own}… by itself; another with --model"
                : $"write its name for {Connection.UnknownModel}, or run this again with --model");
        }

        foreach (var note in setup.Notes)
        {
            Line("note", note);
        }

        WriteTls(client, connection, output);
        Line("check", setup.Check);
        Line("undo", setup.Undo);

        void Line(string what, string text) => Write(output, what, text);
    }

    private static void WriteKey(Connection connection, ClientSetup setup, JsonElement? made, TextWriter output)
    {
        if (made is { } answer)
        {
            Write(output, "key", "made now and shown once:");
            KeyView.Write(answer, output);
        }

        if (connection.Key is null)
        {
            Write(output, "key", $"export {Connection.KeyVariable}=…   before; or run this again with --key KEY or --create-key NAME");
            return;
        }

        // A settings file is no place for a secret: the variable that it names holds it.
        if (setup.File is not null)
        {
            Write(output, "key", ClientSetup.Exports(setup.Variables).TrimEnd('\n') + "   in the shell that starts it");
        }
    }

    private static void WriteTls(KnownClient client, Connection connection, TextWriter output)
    {
        var address = new Uri(connection.Root);
        if (address.Scheme != Uri.UriSchemeHttps)
        {
            return;
        }

        if (address.IsLoopback || IPAddress.TryParse(address.DnsSafeHost, out _))
        {
            Write(output, "tls", $"its certificate has to be for {address.Host}; one that is for a name: --base-url https://NAME{(address.IsDefaultPort ? "" : $":{address.Port}")}");
        }

        Write(output, "tls", $"an authority that the system does not trust: {client.AuthorityVariable}=FILE.pem");
    }

    private static void Write(TextWriter output, string what, string text) => output.WriteLine($"  {what,-8} {text}");
}
