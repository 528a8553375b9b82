using System.Globalization;
using System.Net;
using System.Net.Sockets;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>A start that cannot be: one clear message on standard error, an exit code, and nothing listens.</summary>
internal sealed class RefusalTests : HostTest
{
    private const string Url = "http://127.0.0.1:9/v1";
    private const string Key = "sk-a-key-of-a-client-0123456789";

    [Test]
    public async Task Other_machines_are_not_let_in_without_a_key()
    {
        await RefusedAsync(["--urls", "http://0.0.0.0:0"], null, "0.0.0.0", "this machine only");
        await RefusedAsync(["--urls", "http://*:0"], Variables(("URL", Url), ("TARGET_MODEL", "m")), "LLMPROXY_CLIENT_KEY");
        await WriteAsync("open.json", Configuration(Url, Key).Replace("\"Keys\"", "\"AllowAnonymous\": true, \"Keys\"", StringComparison.Ordinal));
        await RefusedAsync(["--config", "open.json", "--urls", "http://0.0.0.0:0"], null, "AllowAnonymous");
    }

    [Test]
    public async Task A_short_key_where_other_machines_can_try_it_is_warned_of()
    {
        var host = await Start(Variables(("URL", Url), ("TARGET_MODEL", "m"), ("VERIFY_API_KEY", "short")), "--urls", "http://0.0.0.0:0").StartedAsync();
        Assert.That(host.People, Does.Contain("fewer than 16 characters"));
    }

    [Test]
    public async Task Two_configurations_are_refused_and_both_are_named()
    {
        await WriteAsync("llmproxy.json", Configuration(Url, Key));
        await RefusedAsync([], Variables(("URL", Url), ("TARGET_MODEL", "m")), "./llmproxy.json", "URL and TARGET_MODEL");
    }

    [Test]
    public async Task One_of_two_variables_is_not_taken_for_nothing() =>
        await RefusedAsync([], Variables(("URL", Url)), "TARGET_MODEL");

    [TestCase("VERIFY_API_KEY")]
    [TestCase("LLMPROXY_UPSTREAM_KEY")]
    public async Task An_empty_secret_is_not_taken_for_none(string name) =>
        await RefusedAsync([], Variables(("URL", Url), ("TARGET_MODEL", "m"), (name, "")), name, "empty");

    [Test]
    public async Task An_address_that_is_none_is_refused_without_repeating_it()
    {
        var people = await RefusedAsync([], Variables(("URL", "user:secret@host"), ("TARGET_MODEL", "m")), "URL");
        Assert.That(people, Does.Not.Contain("secret"));
    }

    [Test]
    public async Task A_named_file_that_is_missing_is_an_error_and_never_the_demo()
    {
        await RefusedAsync(["--config", "nowhere.json"], null, "--config", "nowhere.json");
        await RefusedAsync([], Variables(("LLMPROXY_CONFIG", "nowhere.json")), "LLMPROXY_CONFIG", "nowhere.json");
    }

    [Test]
    public async Task A_file_with_mistakes_is_refused_with_all_of_them_and_their_lines()
    {
        await WriteAsync("llmproxy.json", Configuration(Url, Key).Replace("tiny/tiny-1", "tinny/tiny-1", StringComparison.Ordinal).Replace("\"Keys\"", "\"Kees\"", StringComparison.Ordinal));
        await RefusedAsync([], null, "line 4", "tinny", "line 5", "Kees");
    }

    [TestCase("{ \"Upstreams\": ")]
    [TestCase("")]
    [TestCase("[]")]
    public async Task A_file_that_is_not_json_is_refused(string text)
    {
        await WriteAsync("llmproxy.json", text);
        await RefusedAsync([], null, "llmproxy.json");
    }

    [Test]
    public async Task A_configured_instance_says_who_holds_its_port()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await WriteAsync("llmproxy.json", Configuration(Url, Key, $"\"Listen\": {{ \"Api\": \"http://127.0.0.1:{port}\" }},"));
        await RefusedAsync([], null, port.ToString(CultureInfo.InvariantCulture), "in use", $"(pid {Environment.ProcessId})");
    }

    [TestCase("http://192.0.2.1:8000", "does not have that address")]
    [TestCase("http://127.0.0.1:70000", "no port between")]
    [TestCase("http://my-machine:8000", "names a host")]
    [TestCase("ftp://127.0.0.1:8000", "http:// or https://")]
    [TestCase("127.0.0.1", "Write it like")]
    [TestCase("https://127.0.0.1:0", "Listen.Certificate")]
    public async Task An_address_that_cannot_be_listened_on_is_refused(string urls, string why)
    {
        await WriteAsync("llmproxy.json", Configuration(Url, Key));
        await RefusedAsync(["--urls", urls], null, why);
    }

    [TestCase("--bogus")]
    [TestCase("serv")]
    [TestCase("--log", "requests=maybe")]
    public async Task A_command_line_that_is_wrong_ends_with_code_2(params string[] arguments)
    {
        var (code, results, people) = await RunAsync(null, arguments);
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(2));
            Assert.That(results, Is.Empty);
            Assert.That(people, Does.Contain(arguments[0]).And.Contain("--help"));
        });
    }

    private async Task<string> RefusedAsync(string[] arguments, Dictionary<string, string>? variables, params string[] words)
    {
        var (code, results, people) = await RunAsync(variables, arguments);
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(1), people);
            Assert.That(results, Is.Empty, "standard output is for results");
            Assert.That(people, Does.Not.Contain("   at "), "no stack trace");
            foreach (var word in words)
            {
                Assert.That(people, Does.Contain(word));
            }
        });
        return people;
    }
}
