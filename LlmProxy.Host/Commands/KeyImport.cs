using System.CommandLine;
using System.Net.Http.Headers;
using System.Text;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary><c>llmproxy keys import</c>: keys that exist elsewhere, by their SHA-256, so that nobody has to change theirs.</summary>
internal static class KeyImport
{
    public static Command Create()
    {
        var path = new Argument<string?>("file")
        {
            Description = "A CSV file with the columns name and hash (or token, as LiteLLM calls it), and as you like group and expires; without it, standard input.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var (server, file, json) = (CommonOptions.AdminServer(), CommonOptions.Configuration(), CommonOptions.Json());
        var command = new Command("import", "Takes over keys by their SHA-256, all of a file or none.") { path, server, file, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            var text = parsed.GetValue(path) is { } name ? await ReadAsync(name, cancellation) : await Console.In.ReadToEndAsync(cancellation);
            await using var admin = await AdminClient.OpenAsync(parsed.GetValue(server), parsed.GetValue(file), cancellation);
            using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(text)) { Headers = { ContentType = new MediaTypeHeaderValue("text/csv") } };
            var answer = await admin.SendContentAsync(HttpMethod.Post, "/keys/import", content, cancellation, isLong: true);
            if (parsed.GetValue(json))
            {
                Writers.Results.WriteLine(answer.GetRawText());
            }
            else
            {
                Writers.People.WriteLine($"{answer.GetProperty("imported").GetInt32()} keys were imported.");
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<string> ReadAsync(string path, CancellationToken cancellation)
    {
        try
        {
            return await File.ReadAllTextAsync(path, cancellation);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new RefusedException($"{path} cannot be read: {failure.Message}");
        }
    }
}
