using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmProxy.Tests.Architecture;
using NUnit.Framework;

namespace LlmProxy.Tests.Support;

/// <summary>What one client made of one answer.</summary>
/// <param name="Client">Its name in the table.</param>
/// <param name="Model">Names the answer.</param>
/// <param name="Saw"><c>success</c> or <c>error</c>.</param>
/// <param name="Text">As much of it as came.</param>
/// <param name="Finish">The finish reason, where the client tells it.</param>
/// <param name="Error">The error's class and message.</param>
public sealed record Judgement(string Client, string Model, string Saw, string Text, string? Finish, string? Error)
{
    public bool IsSuccess => Saw == "success";
}

/// <summary>The real clients of <c>LlmProxy.Tests/Clients</c>, run by Node.</summary>
public static class NodeClients
{
    private const int OldestNode = 20;

    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(2);

    private static string Folder => Path.Combine(SourceTree.Root, "LlmProxy.Tests", "Clients");

    /// <summary>For a program that is somewhere else.</summary>
    public static string Modules => Path.Combine(Folder, "node_modules");

    /// <summary>Skips the test where Node or the clients are missing; where <c>CI=true</c> that is a failure.</summary>
    public static void Require()
    {
        if (Missing() is not { } missing)
        {
            return;
        }

        if (Environment.GetEnvironmentVariable("CI") == "true")
        {
            Assert.Fail(missing);
        }

        Assert.Ignore(missing);
    }

    /// <summary>Lets clients ask a proxy; the answers come in any order.</summary>
    public static async Task<IReadOnlyList<Judgement>> JudgeAsync(Uri proxy, IEnumerable<(string Client, string Model)> cases, string prompt = Canary.Prompt)
    {
        var order = new JsonObject
        {
            ["baseUrl"] = new Uri(proxy, "/v1").ToString(),
            ["key"] = Canary.ClientKey,
            ["prompt"] = prompt,
            ["cases"] = new JsonArray([.. cases.Select(one => (JsonNode)new JsonObject { ["client"] = one.Client, ["model"] = one.Model })]),
        };
        using Process process = Start("judge.mjs");
        using var deadline = new CancellationTokenSource(s_longest);
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            Task<string> errors = process.StandardError.ReadToEndAsync(deadline.Token);
            await process.StandardInput.WriteAsync(order.ToJsonString());
            process.StandardInput.Close();
            await process.WaitForExitAsync(deadline.Token);
            Assert.That(process.ExitCode, Is.Zero, await errors);
            Assert.That(Canary.SecretIn((await output).Replace(prompt, "", StringComparison.Ordinal)), Is.Null, "I4: no secret in what a client says");
            return [.. (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Read)];
        }
        finally
        {
            End(process);
        }
    }

    /// <summary>Starts a script with its three streams redirected and nothing of this environment but the path.</summary>
    public static Process Start(string script)
    {
        var start = new ProcessStartInfo("node", [script])
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH");
        return Process.Start(start)!;
    }

    public static void End(Process process)
    {
        if (!process.HasExited)
        {
            process.Kill();
            process.WaitForExit();
        }
    }

    private static Judgement Read(string line) => JsonSerializer.Deserialize<Judgement>(line, JsonSerializerOptions.Web)!;

    private static string? Missing()
    {
        if (NodeVersion() is not { } version)
        {
            return "Node is not installed: the real clients need it.";
        }

        if (!int.TryParse(version.TrimStart('v').Split('.')[0], out int major) || major < OldestNode)
        {
            return $"Node {version} is too old: the real clients need {OldestNode}.";
        }

        return Directory.Exists(Path.Combine(Modules, "openai"))
            ? null
            : "The real clients are not installed: npm ci --prefix LlmProxy.Tests/Clients";
    }

    private static string? NodeVersion()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("node", ["--version"]) { RedirectStandardOutput = true })!;
            string version = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            return version;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
