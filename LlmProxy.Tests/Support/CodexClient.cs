using System.Diagnostics;
using System.Text.Json.Nodes;
using LlmProxy.Tests.Architecture;
using NUnit.Framework;

namespace LlmProxy.Tests.Support;

/// <summary>
/// Codex CLI as a judge. It is an executable of 400 MB, so nothing installs it but who wants it: <c>npm ci --prefix
/// LlmProxy.Tests/Clients/codex</c>. Where it is missing it does not judge, and the tests say so.
/// </summary>
public static class CodexClient
{
    public const string Name = "Codex";

    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(60);

    // Some run at the same time: it uses more of the machine for its start than for the answer.
    private static readonly SemaphoreSlim s_slots = new(4);

    private static string Folder => Path.Combine(SourceTree.Root, "LlmProxy.Tests", "Clients", "codex");

    /// <summary>The executable; null where it is not installed.</summary>
    public static string? Executable { get; } = Find();

    /// <summary>These clients, and Codex where it is installed.</summary>
    public static string[] OrNot(string[] clients)
    {
        if (Executable is null)
        {
            TestContext.Out.WriteLine("Codex does not judge: it is not installed (npm ci --prefix LlmProxy.Tests/Clients/codex).");
        }

        return Executable is null ? clients : [.. clients, Name];
    }

    /// <summary>Lets it ask a proxy once.</summary>
    public static Task<Judgement> AskAsync(Uri proxy, string model)
    {
        string provider = $"model_providers.proxy={{name=\"proxy\",base_url=\"{new Uri(proxy, "/v1")}\",env_key=\"LLMPROXY_KEY\","
            + "wire_api=\"responses\",request_max_retries=0,stream_max_retries=0}";
        return AskAsync(model, ["-c", "model_provider=proxy", "-c", provider, "-m", model], "", ("LLMPROXY_KEY", Canary.ClientKey));
    }

    /// <summary>Lets it ask once whomever its settings file names.</summary>
    public static Task<Judgement> AskWithAsync(string settings, (string Name, string Value) key) => AskAsync("", [], settings, key);

    private static async Task<Judgement> AskAsync(string model, string[] options, string settings, (string Name, string Value) key)
    {
        await s_slots.WaitAsync();
        DirectoryInfo home = Directory.CreateTempSubdirectory("llmproxy-codex-");
        using var process = new Process { StartInfo = Command(options, home.FullName, key) };
        using var deadline = new CancellationTokenSource(s_longest);
        try
        {
            await File.WriteAllTextAsync(Path.Combine(home.FullName, "config.toml"), settings, deadline.Token);
            process.Start();
            process.StandardInput.Close();
            Task<string> output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            Task<string> errors = process.StandardError.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            return Read(model, process.ExitCode, await output, await errors);
        }
        finally
        {
            NodeClients.End(process);
            home.Delete(recursive: true);
            s_slots.Release();
        }
    }

    private static ProcessStartInfo Command(string[] options, string home, (string Name, string Value) key)
    {
        var start = new ProcessStartInfo(Executable!, ["exec", "--skip-git-repo-check", "--json", "-s", "read-only", .. options, Canary.Prompt])
        {
            WorkingDirectory = home,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH");
        start.Environment["HOME"] = start.Environment["CODEX_HOME"] = home;
        start.Environment[key.Name] = key.Value;
        return start;
    }

    private static Judgement Read(string model, int code, string output, string errors)
    {
        Assert.That(Canary.KeyIn(System.Text.Encoding.UTF8.GetBytes(output)), Is.Null, "I4: no secret in what a client says");
        JsonObject[] events = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!.AsObject())];
        string text = string.Concat(events.Select(e => e["item"]).Where(item => (string?)item?["type"] == "agent_message").Select(item => (string?)item!["text"]));
        bool isWhole = code == 0 && events.Any(e => (string?)e["type"] == "turn.completed");
        string? failure = events.Select(e => (string?)e["error"]?["message"] ?? (string?)e["message"]).LastOrDefault(message => message is not null);
        return isWhole
            ? new Judgement(Name, model, "success", text, "completed", null)
            : new Judgement(Name, model, "error", text, null, failure ?? $"exit {code}: {errors}");
    }

    private static string? Find()
    {
        string modules = Path.Combine(Folder, "node_modules", "@openai");
        return !OperatingSystem.IsLinux() || !Directory.Exists(modules)
            ? null
            : Directory.EnumerateFiles(modules, "codex", SearchOption.AllDirectories).FirstOrDefault(file => Path.GetFileName(Path.GetDirectoryName(file)) == "bin");
    }
}
