using System.Text.Json;
using LlmProxy.Core.Authentication;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

internal sealed class CommandTests : HostTest
{
    [Test]
    public async Task Version_prints_the_version_and_as_json_what_it_runs_on()
    {
        var plain = await RunAsync(null, "version");
        var json = await RunAsync(null, "version", "--json");
        using var document = JsonDocument.Parse(json.Results);
        Assert.Multiple(() =>
        {
            Assert.That(plain.Code, Is.Zero);
            Assert.That(plain.Results, Does.Match(@"^\d+\.\d+\.\d+\n$"));
            Assert.That(document.RootElement.GetProperty("version").GetString(), Does.StartWith(plain.Results.Trim()));
        });
    }

    [Test]
    public async Task Hash_reads_the_key_from_standard_input_and_prints_what_to_configure()
    {
        var process = Start("keys", "hash");
        await process.EnterAsync("sk-something");
        Assert.That(await process.ExitedAsync(), Is.Zero);
        Assert.That(process.Results, Is.EqualTo(ApiKeys.Hash("sk-something") + "\n"));
    }

    [Test]
    public async Task Init_writes_a_file_that_check_takes_once_and_never_over_another()
    {
        var first = await RunAsync(null, "init");
        var path = Path.Combine(Folder, "llmproxy.json");
        var written = await File.ReadAllTextAsync(path);
        var check = await RunAsync(Variables(("OPENAI_API_KEY", "sk-x")), "check");
        await File.AppendAllTextAsync(path, "// mine\n");
        var second = await RunAsync(null, "init");
        Assert.Multiple(() =>
        {
            Assert.That(first.Code, Is.Zero, first.People);
            Assert.That(first.Results, Is.EqualTo("llmproxy.json\n"));
            Assert.That(check.Code, Is.Zero, check.Results);
            Assert.That(check.Results, Is.EqualTo("0 errors, 0 warnings: usable\n"));
            Assert.That(second.Code, Is.EqualTo(1));
            Assert.That(File.ReadAllText(path), Is.EqualTo(written + "// mine\n"));
        });
    }

    [Test]
    public async Task Check_prints_every_problem_on_a_line_and_a_summary()
    {
        await WriteAsync("llmproxy.json", Configuration("http://127.0.0.1:9/v1", "sk-x").Replace("tiny/tiny-1", "tinny/tiny-1", StringComparison.Ordinal));
        var plain = await RunAsync(null, "check");
        var json = await RunAsync(null, "check", "--json");
        using var document = JsonDocument.Parse(json.Results);
        Assert.Multiple(() =>
        {
            Assert.That(plain.Code, Is.EqualTo(1));
            Assert.That(plain.Results, Does.Match(@"^error  line 4  Models › small.*tinny.*\n1 error, 0 warnings: not usable\n$"));
            Assert.That(json.Code, Is.EqualTo(1));
            Assert.That(document.RootElement.GetProperty("usable").GetBoolean(), Is.False);
            Assert.That(document.RootElement.GetProperty("problems")[0].GetProperty("line").GetInt32(), Is.EqualTo(4));
        });
    }

    [Test]
    public async Task Ask_says_what_to_do_when_nobody_is_there()
    {
        var (code, results, people) = await RunAsync(null, "ask", "hello", "--server", "http://127.0.0.1:9");
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(1));
            Assert.That(results, Is.Empty);
            Assert.That(people, Does.Contain("Start one with: llmproxy"));
        });
    }

    [Test]
    public async Task Help_names_the_exit_codes()
    {
        var (code, results, _) = await RunAsync(null, "--help");
        Assert.That(code, Is.Zero);
        Assert.That(results, Does.Contain("Exit codes:"));
    }
}
