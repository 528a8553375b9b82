using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>What <c>llmproxy connect</c> prints, taken by those for whom it is: a shell, and the clients where they are installed.</summary>
internal sealed class ConnectedClientTests : ConnectTest
{
    private const string HostileModel = "a'b\"c$(touch broken)`touch broken`\\${HOME}\n#{x}\n[y] \u2028\u0085é😀";
    private const string HostileKey = "sk-'\"$HOME`touch${IFS}broken`\\n;#{x}";

    private static readonly string[] _claude =
    [
        "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_MODEL",
        "ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    ];

    private static readonly string[] _openWebUI = ["OPENAI_API_BASE_URL", "OPENAI_API_KEY"];

    [Test]
    public async Task A_shell_has_the_variables_of_Claude_Code()
    {
        var host = await StartCompanyAsync();
        var printed = (await RunAsync(null, "connect", "claude")).Results;
        Assert.That(
            await ShellAsync(printed, _claude, ("LLMPROXY_API_KEY", CompanyKey)),
            Is.EqualTo(new[] { host.Address, CompanyKey, "claude-opus-4-7", "claude-opus-4-7", "claude-opus-4-7", "claude-small-haiku" }));
        Assert.That((await ShellAsync((await RunAsync(null, "connect", "claude", "--key", CompanyKey)).Results, _claude))[1], Is.EqualTo(CompanyKey));
    }

    [Test]
    public async Task A_shell_has_the_variables_of_Open_WebUI()
    {
        var host = await StartCompanyAsync();
        var (_, printed, people) = await RunAsync(null, "connect", "openwebui");
        Assert.That(await ShellAsync(printed, _openWebUI, ("LLMPROXY_API_KEY", CompanyKey)), Is.EqualTo(new[] { host.Address + "/v1", CompanyKey }));
        Assert.That(people, Does.Contain($"--base-url http://host.docker.internal:{new Uri(host.Address).Port}").And.Contain("--add-host=host.docker.internal:host-gateway"));
    }

    [Test]
    public async Task Whatever_a_value_holds_it_stays_one_value_in_a_shell()
    {
        var (code, claude, people) = await RunAsync(null, "connect", "claude", "--model", HostileModel, "--key", HostileKey, "--server", "http://127.0.0.1:9/'$(touch broken)/v1");
        Assert.That(code, Is.Zero, people);
        Assert.That(
            await ShellAsync(claude, _claude),
            Is.EqualTo(new[] { "http://127.0.0.1:9/'$(touch%20broken)", HostileKey, HostileModel, HostileModel, HostileModel, HostileModel }));
        var openWebUI = await RunAsync(null, "connect", "openwebui", "--key", HostileKey);
        Assert.That((await ShellAsync(openWebUI.Results, _openWebUI))[1], Is.EqualTo(HostileKey));
        Assert.That(openWebUI.People, Does.Contain("it takes a key with ; for several"));

        // The key for Codex stands among the words, and is pasted all the same.
        var codex = await RunAsync(null, "connect", "codex", "--key", HostileKey);
        Assert.That(codex.Results, Does.Not.Contain(HostileKey));
        var line = Regex.Match(codex.People, @"^  key +(export .*)   in the shell", RegexOptions.Multiline).Groups[1].Value;
        Assert.That(await ShellAsync(line + "\n", ["LLMPROXY_API_KEY"]), Is.EqualTo(new[] { HostileKey }));
        Assert.That(File.Exists(Path.Combine(Folder, "broken")), Is.False);
    }

    [TestCase("codex", @"^model = (.*)$", null)]
    [TestCase("python", @"^    model=(.*),$", @"api_key=(.*)\)$")]
    [TestCase("langchain", @" model=(.*)\)$", @"api_key=(.*), model")]
    [TestCase("node", @"^  model: (.*),$", @"apiKey: (.*) }\);$")]
    [TestCase("dotnet", @"^    (.*),\n    new Api", @"ApiKeyCredential\((.*)\),$")]
    public async Task Whatever_a_value_holds_it_stays_one_literal_on_its_line(string client, string model, string? key)
    {
        var (code, printed, people) = await RunAsync(null, "connect", client, "--model", HostileModel, "--key", HostileKey);
        Assert.That(code, Is.Zero, people);

        // What JSON reads back from ASCII escapes, TOML, Python, JavaScript and C# read back alike.
        Assert.That(Literal(model), Is.EqualTo(HostileModel));
        Assert.That(key is null ? HostileKey : Literal(key), Is.EqualTo(HostileKey));
        Assert.That(people, Does.Not.Contain("\u0085"));

        string? Literal(string pattern) => JsonSerializer.Deserialize<string>(Regex.Match(printed, pattern, RegexOptions.Multiline).Groups[1].Value);
    }

    [TestCase("a key")]
    [TestCase("a\nkey")]
    [TestCase("")]
    public async Task A_key_that_no_header_can_hold_is_refused(string key)
    {
        var (code, results, people) = await RunAsync(null, "connect", "claude", "--key", key);
        Assert.That((code, results), Is.EqualTo((1, "")));
        Assert.That(people, Does.Contain("visible ASCII"));
    }

    [Test]
    public async Task The_program_for_Node_runs_and_prints_the_demos_answer()
    {
        NodeClients.Require();
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        Directory.CreateSymbolicLink(Path.Combine(Folder, "node_modules"), NodeClients.Modules);
        await WriteAsync("named.mjs", (await RunAsync(null, "connect", "node")).Results);
        await WriteAsync("written.mjs", (await RunAsync(null, "connect", "node", "--key", host.Key!)).Results);
        Assert.That((await ProcessAsync("node", ["named.mjs"], ("LLMPROXY_API_KEY", host.Key!))).Output, Does.Contain("“Say hello.”").And.EndsWith("\n"));
        Assert.That((await ProcessAsync("node", ["written.mjs"])).Output, Does.Contain("“Say hello.”"));
        Assert.That((await ProcessAsync("node", ["named.mjs"], ("LLMPROXY_API_KEY", "sk-of-nobody"))).Code, Is.Not.Zero);
    }

    [Test]
    public async Task The_program_for_Node_says_a_hostile_model_as_it_is()
    {
        NodeClients.Require();
        var model = HostileModel.Split('\n')[0] + "#{x} é😀";   // a configured name is one line
        await using var upstream = new ScriptedUpstream();
        upstream.Otherwise(Replies.LikeOpenAI);
        await WriteAsync("llmproxy.json", Configuration(upstream.Url.ToString(), CompanyKey, "\"Listen\": { \"Api\": \"http://127.0.0.1:0\" },").Replace("\"small\"", JsonSerializer.Serialize(model), StringComparison.Ordinal));
        await Start().StartedAsync();
        Directory.CreateSymbolicLink(Path.Combine(Folder, "node_modules"), NodeClients.Modules);
        await WriteAsync("hello.mjs", (await RunAsync(null, "connect", "node", "--key", CompanyKey, "--model", model)).Results);
        var (code, output, errors) = await ProcessAsync("node", ["hello.mjs"]);
        Assert.That((code, output), Is.EqualTo((0, "Hello there\n")), errors);
    }

    [Test]
    public async Task The_settings_of_Codex_are_these_lines_and_it_takes_them()
    {
        await using var upstream = new ScriptedUpstream();
        upstream.Otherwise(Replies.StreamOf(ResponseEvents.Whole("Hi")));
        await WriteAsync("llmproxy.json", Configuration(upstream.Url.ToString(), CompanyKey, "\"Listen\": { \"Api\": \"http://127.0.0.1:0\" },").Replace("{ \"Url\"", "{ \"Kind\": \"vLLM\", \"Url\"", StringComparison.Ordinal));
        var host = await Start().StartedAsync();
        var (code, settings, people) = await RunAsync(null, "connect", "codex");
        Assert.That(code, Is.Zero, people);
        Assert.That(settings, Is.EqualTo($"""
            model = "small"
            model_provider = "llmproxy"

            [model_providers.llmproxy]
            name = "LlmProxy"
            base_url = "{host.Address}/v1"
            env_key = "LLMPROXY_API_KEY"
            wire_api = "responses"

            """.ReplaceLineEndings("\n")));
        if (CodexClient.OrNot([]).Length > 0)
        {
            var judgement = await CodexClient.AskWithAsync(settings, ("LLMPROXY_API_KEY", CompanyKey));
            Assert.That(judgement.IsSuccess, Is.True, judgement.Error);
            Assert.That(upstream.Requests.Select(static request => (request.Target, (string?)request.Json["model"])), Does.Contain((ResponseEvents.Path, "tiny-1")));
        }
    }

    /// <summary>The values that variables have once a shell has read the lines.</summary>
    private async Task<string[]> ShellAsync(string lines, string[] names, params (string Name, string Value)[] variables)
    {
        var script = lines + string.Concat(names.Select(static name => $"printf '%s\\0' \"${{{name}}}\"\n"));
        await WriteAsync("script.sh", script);
        var (code, output, errors) = await ProcessAsync("/bin/sh", ["-eu", "script.sh"], variables);
        Assert.That((code, errors), Is.EqualTo((0, "")));
        return output.Split('\0')[..^1];
    }

    private async Task<(int Code, string Output, string Errors)> ProcessAsync(string file, string[] arguments, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo(file, arguments) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Clear();
        start.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH");
        start.Environment["HOME"] = Folder;
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try
        {
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(deadline.Token), process.StandardError.ReadToEndAsync(deadline.Token));
            await process.WaitForExitAsync(deadline.Token);
            return (process.ExitCode, await output, await errors);
        }
        finally
        {
            NodeClients.End(process);
        }
    }
}
