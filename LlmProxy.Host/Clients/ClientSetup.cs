using System.Text;

namespace LlmProxy.Host.Clients;

/// <summary>What points one client at the proxy: what is pasted, and the words that go with it. No record: it may hold a key.</summary>
internal sealed class ClientSetup
{
    /// <summary>The address in the form that this client wants.</summary>
    public required string BaseUrl { get; init; }

    /// <summary>What has to be in the client's environment; null for a key that is the user's to fill in.</summary>
    public IReadOnlyList<KeyValuePair<string, string?>> Variables { get; init; } = [];

    /// <summary>A part of a settings file, by the file's path.</summary>
    public KeyValuePair<string, string>? File { get; init; }

    /// <summary>A program.</summary>
    public string? Snippet { get; init; }

    /// <summary>Where it goes.</summary>
    public required string Put { get; init; }

    /// <summary>How to see that it works.</summary>
    public required string Check { get; init; }

    /// <summary>How to be rid of it.</summary>
    public required string Undo { get; init; }

    /// <summary>What else may be in the way.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>What is pasted, and nothing else.</summary>
    public string Text => Snippet ?? File?.Value ?? Exports(Variables);

    /// <summary>Lines of a shell. A key that is not known is taken from the variable that holds it.</summary>
    public static string Exports(IEnumerable<KeyValuePair<string, string?>> variables)
    {
        var lines = new StringBuilder();
        foreach (var (name, value) in variables)
        {
            lines.Append("export ").Append(name).Append('=').Append(value is null ? $"\"${Connection.KeyVariable}\"" : Quoting.Shell(value)).Append('\n');
        }

        return lines.ToString();
    }
}
