using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using LlmProxy.Benchmarks.StreamLatency.Load;
using LlmProxy.Benchmarks.StreamLatency.Machine;
using LlmProxy.Core.Authentication;

namespace LlmProxy.Benchmarks.StreamLatency.Targets;

/// <summary>The published executable with all that is on by default, its ledger in SQLite too, and limits for the key; no line per request in its output.</summary>
/// <param name="given">Where it is; null: it is published first.</param>
/// <param name="profiler">What it runs under, with the names of its methods; null: it runs by itself.</param>
internal sealed class ExecutableTarget(string? given, Profiler? profiler = null) : Target("executable", "LlmProxy, executable")
{
    private string? _program = given is null ? null : Path.GetFullPath(given);

    /// <summary>Where it is, once that is known.</summary>
    public string? Program => _program;

    public override string? Version => _program is null ? null : MachineDescription.FirstLineOf(_program, "--version")?.Split(' ')[^1].Split('+')[0];

    public override string? Prepare(Action<string> say)
    {
        if (_program is not null)
        {
            return File.Exists(_program) ? null : "there is no such file";
        }

        if (Source() is not { } source)
        {
            return "its source is not there to be published";
        }

        say("publishing the executable (a minute or two; --executable PATH names one that is there)");
        return Publish(source);
    }

    /// <summary>The folder that all source is in; null where this program runs without it.</summary>
    public static string? Source()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "LlmProxy.slnx")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName;
    }

    protected override ProcessStartInfo Command(int port, int upstreamPort, string folder)
    {
        var file = Path.Combine(folder, "llmproxy.json");
        File.WriteAllText(file, JsonSerializer.Serialize(new
        {
            Upstreams = new { up = new { Url = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{upstreamPort}/v1"), ApiKey = Wire.UpstreamKey } },
            Models = new Dictionary<string, string> { [Wire.Model] = "up/" + Wire.UpstreamModel },
            Keys = new { bench = new { Hash = ApiKeys.Hash(Wire.ClientKey), RequestsPerMinute = 1_000_000_000, TokensPerMinute = 1_000_000_000_000, Concurrent = 1_000_000 } },
            Store = new { Kind = "SQLite", Path = folder },
        }));
        string[] command =
        [
            .. profiler?.Command ?? [], _program!, "--config", file, "--urls", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"), "--log", "requests=off",
        ];
        var start = new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = folder };
        foreach (var (name, value) in profiler?.Environment ?? [])
        {
            start.Environment[name] = value;
        }

        return start;
    }

    /// <returns>Why that did not work; null: it did.</returns>
    private string? Publish(string source)
    {
        var output = Path.Combine(source, "artifacts", profiler is null ? "stream-executable" : "profiled-executable");
        string[] symbols = profiler is null ? [] : ["-p:StripSymbols=false"];
        var command = new ProcessStartInfo("dotnet", ["publish", "LlmProxy.Host", "-c", "Release", "-r", RuntimeInformation.RuntimeIdentifier, "-o", output, "-v", "q", .. symbols])
        {
            WorkingDirectory = source,
            RedirectStandardOutput = true,
        };
        OwnProcess.CompileInSteps(command);
        try
        {
            using var process = Process.Start(command)!;
            var lines = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            process.WaitForExit();
            _program = Path.Combine(output, OperatingSystem.IsWindows() ? "llmproxy.exe" : "llmproxy");
            return process.ExitCode == 0 && File.Exists(_program)
                ? null
                : $"it could not be published: {lines.FirstOrDefault(static line => line.Contains("error", StringComparison.Ordinal)) ?? lines.LastOrDefault()}";
        }
        catch (Win32Exception e)
        {
            return $"it could not be published: {e.Message}";
        }
    }
}

/// <summary>What a program runs under that is looked at closely.</summary>
/// <param name="Command">A program and its arguments, before those of the one that runs under it.</param>
/// <param name="Environment">Variables for both.</param>
internal sealed record Profiler(IReadOnlyList<string> Command, Dictionary<string, string> Environment);
