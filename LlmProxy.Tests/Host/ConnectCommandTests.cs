using System.Text.Json;
using System.Text.RegularExpressions;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>What <c>llmproxy connect</c> says of whom it asks, what it chooses, and what it refuses.</summary>
internal sealed class ConnectCommandTests : ConnectTest
{
    [TestCase("claud")]
    [TestCase("Claude")]
    public async Task An_unknown_client_is_a_wrong_command_line_and_the_known_ones_are_listed(string client)
    {
        var (code, results, people) = await RunAsync(null, "connect", client);
        Assert.That((code, results), Is.EqualTo((2, "")));
        foreach (var known in Clients)
        {
            Assert.That(people, Does.Contain($"'{known}'"));
        }
    }

    [Test]
    public async Task The_shell_completes_clients_and_options()
    {
        var clients = await RunAsync(null, "[suggest:17]", "llmproxy connect ");
        var options = await RunAsync(null, "[suggest:26]", "llmproxy connect claude --");
        Assert.That(clients.Results.Split('\n'), Is.SupersetOf(Clients));
        Assert.That(options.Results.Split('\n'), Is.SupersetOf(new[] { "--model", "--key", "--create-key", "--server", "--base-url", "--json" }));
    }

    [Test]
    public async Task The_demo_names_the_command_and_programs_are_pointed_at_it()
    {
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        await host.SaysAsync(@"^         llmproxy connect python     point Python, \.NET, Open WebUI, Claude Code, Codex, … here\n");
        foreach (var client in Clients[3..])
        {
            var (code, results, people) = await RunAsync(null, "connect", client);
            Assert.That(code, Is.Zero, people);
            Assert.That(results, Does.Contain($"\"{host.Address}/v1\"").And.Contain("\"demo\"").And.Contain("\"LLMPROXY_API_KEY\"").And.Not.Contain(host.Key!));
            Assert.That(people, Does.Contain("  put ").And.Contain("  check ").And.Contain("  undo ").And.Contain("export LLMPROXY_API_KEY=").And.Not.Contain("warn"));
        }
    }

    [TestCase("claude", "/v1/messages")]
    [TestCase("codex", "/v1/responses")]
    public async Task Where_no_model_serves_the_client_nothing_is_printed_and_no_key_is_made(string client, string path)
    {
        await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        var (code, results, people) = await RunAsync(null, "connect", client, "--create-key", "made");
        Assert.That((code, results), Is.EqualTo((1, "")));
        Assert.That(people, Does.StartWith("llmproxy: No model here serves " + path).And.Contain("(there is *, demo)").And.Contain("llmproxy init"));
        Assert.That((await RunAsync(null, "keys", "list")).Results, Does.Not.Contain("made"));

        var named = await RunAsync(null, "connect", client, "--model", "demo");
        Assert.That(named.Code, Is.Zero);
        Assert.That(named.Results, Does.Contain("demo"));
        Assert.That(named.People, Does.StartWith($"warn   \"demo\" does not serve {path}"));
    }

    [Test]
    public async Task The_first_model_is_taken_that_serves_what_the_client_asks_for()
    {
        await StartCompanyAsync();
        foreach (var (client, model) in new[] { ("claude", "claude-opus-4-7"), ("codex", "gpt-5"), ("python", "a-local-one"), ("openwebui", null) })
        {
            var json = await JsonAsync(client);
            Assert.That(json.GetProperty("model").GetString(), Is.EqualTo(model), client);
        }

        var unknown = await RunAsync(null, "connect", "python", "--model", "gpt-6");
        Assert.That((unknown.Code, unknown.People.Split('\n')[0]), Is.EqualTo((0, "warn   There is no model \"gpt-6\" here. There is: a-local-one, gpt-5.")));
        var other = await RunAsync(null, "connect", "codex", "--model", "a-local-one");
        Assert.That((other.Code, other.People.Split('\n')[0]), Is.EqualTo((0, "warn   \"a-local-one\" does not serve /v1/responses, which Codex needs. These do: gpt-5.")));
    }

    [Test]
    public async Task A_pattern_that_holds_the_clients_own_names_needs_none_and_another_needs_one()
    {
        await StartAsync("\"claude-*\": \"anthropic/*\", \"gpt-*\": \"openai/*\", \"local-*\": \"local/*\"");
        foreach (var (client, text) in new[] { ("claude", "ANTHROPIC_AUTH_TOKEN"), ("codex", "model_provider") })
        {
            var (code, results, people) = await RunAsync(null, "connect", client);
            Assert.That(code, Is.Zero, people);
            Assert.That(results, Does.Contain(text).And.Not.Contain("MODEL=").And.Not.Match("(?m)^model ="));
            Assert.That(people, Does.Contain("  model    none is named"));
        }

        Assert.That((await RunAsync(null, "connect", "openwebui")).Code, Is.Zero);
        var program = await RunAsync(null, "connect", "node");
        Assert.That((program.Code, program.Results), Is.EqualTo((1, "")));
        Assert.That(program.People, Does.Contain("gpt-*, local-*").And.Contain("--model"));
        var named = await RunAsync(null, "connect", "node", "--model", "gpt-7");
        Assert.That((named.Code, named.People.Contains("warn", StringComparison.Ordinal)), Is.EqualTo((0, false)));
    }

    [Test]
    public async Task A_key_that_is_given_decides_which_models_count()
    {
        var host = await StartCompanyAsync();
        Assert.That((await JsonAsync("python", "--key", LimitedKey)).GetProperty("model").GetString(), Is.EqualTo("gpt-5"));
        var none = await RunAsync(null, "connect", "claude", "--key", LimitedKey);
        Assert.That((none.Code, none.Results), Is.EqualTo((1, "")));
        Assert.That(none.People, Does.Contain("this key may use").And.Not.Contain(LimitedKey));
        var foreign = await RunAsync(null, "connect", "python", "--key", "sk-of-nobody");
        Assert.That(foreign.Code, Is.Zero);
        Assert.That(foreign.People, Does.StartWith("warn   The key could not be tried: 401"));
        Assert.That(await host.StoppedAsync(), Is.Zero);
    }

    [Test]
    public async Task A_key_is_made_shown_once_and_works()
    {
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        var (code, results, people) = await RunAsync(null, "connect", "openwebui", "--create-key", "chat");
        Assert.That(code, Is.Zero, people);
        var key = Regex.Match(results, "OPENAI_API_KEY='(sk-llmp-[0-9A-Za-z]+)'").Groups[1].Value;
        Assert.That(people, Does.Contain("shown once").And.Match("id +key_.* chat").And.Not.Contain(key));
        using var client = host.Client(key);
        Assert.That(await client.GetStringAsync("/v1/models"), Does.Contain("demo"));

        var again = await RunAsync(null, "connect", "openwebui", "--create-key", "chat");
        Assert.That((again.Code, again.Results), Is.EqualTo((1, "")), "as keys create refuses it");
        var asJson = (await JsonAsync("node", "--create-key", "other")).GetProperty("key").GetString();
        using var second = host.Client(asJson);
        Assert.That(await second.GetStringAsync("/v1/models"), Does.Contain("demo"));
        var both = await RunAsync(null, "connect", "node", "--create-key", "third", "--key", "sk-x");
        Assert.That((both.Code, both.Results), Is.EqualTo((2, "")));
    }

    [Test]
    public async Task Without_an_instance_it_says_that_nobody_was_asked()
    {
        var (code, results, people) = await RunAsync(null, "connect", "claude", "--model", "m");
        Assert.That(code, Is.Zero, people);
        Assert.That(results, Does.StartWith("export ANTHROPIC_BASE_URL='http://127.0.0.1:8000'\n").And.Contain("ANTHROPIC_DEFAULT_HAIKU_MODEL='m'"));
        Assert.That(people, Does.StartWith("warn   No instance answered, so nobody was asked"));

        var elsewhere = await RunAsync(null, "connect", "python", "--server", "https://llm.example.com/v1/");
        Assert.That(elsewhere.Code, Is.Zero, elsewhere.People);
        Assert.That(elsewhere.Results, Does.Contain("\"https://llm.example.com/v1\"").And.Contain("\"MODEL\""));
        Assert.That(elsewhere.People, Does.Contain("Nobody was asked").And.Contain("write its name for MODEL").And.Contain("SSL_CERT_FILE=FILE.pem"));

        var nobody = await RunAsync(Variables(("LLMPROXY_ADMIN_KEY", "an-admin-key-0123456789")), "connect", "python", "--server", "http://127.0.0.1:9");
        Assert.That(nobody.Code, Is.Zero);
        Assert.That(nobody.People, Does.StartWith("warn   Nobody was asked: 127.0.0.1 cannot be reached"));
        Assert.That((await RunAsync(null, "connect", "python", "--create-key", "x")).Code, Is.EqualTo(1), "there is nobody to make one");
    }

    [Test]
    public async Task Without_an_instance_what_is_configured_is_taken()
    {
        await WriteAsync("llmproxy.json", Company("\"Listen\": { \"Api\": \"http://0.0.0.0:8123\" },"));
        var (code, results, people) = await RunAsync(null, "connect", "codex");
        Assert.That(code, Is.Zero, people);
        Assert.That(results, Does.Contain("model = \"gpt-5\"").And.Contain("\"http://127.0.0.1:8123/v1\""));
        Assert.That(people, Does.Contain("nobody was asked; this is what one would serve by ./llmproxy.json"));

        await WriteAsync("llmproxy.json", "{ \"Upstreams\": 1 }");
        var broken = await RunAsync(null, "connect", "codex");
        Assert.That((broken.Code, broken.Results.Contains("http://127.0.0.1:8000/v1", StringComparison.Ordinal)), Is.EqualTo((0, true)));
        Assert.That(broken.People, Does.Contain("llmproxy check says why"));
    }

    [Test]
    public async Task An_instance_elsewhere_is_asked_by_its_admin_address_and_says_where_its_API_is()
    {
        var host = await StartAsync(
            "\"gpt-5\": \"openai/gpt-5\"",
            "\"Listen\": { \"Api\": \"http://0.0.0.0:0\", \"Admin\": \"http://127.0.0.1:0\" }, \"Admin\": { \"Keys\": { \"ops\": { \"Key\": \"an-admin-key-0123456789\" } } },");
        var admin = (await host.SaysAsync(@"^  Admin  (http\S+)/metrics$")).Groups[1].Value;
        var variables = Variables(("LLMPROXY_ADMIN_KEY", "an-admin-key-0123456789"), ("LLMPROXY_DATA", Path.Combine(Folder, "elsewhere")));
        var (code, results, people) = await RunAsync(variables, "connect", "codex", "--server", admin);
        Assert.That(code, Is.Zero, people);
        Assert.That(results, Does.Contain($"\"http://127.0.0.1:{new Uri(host.Address).Port}/v1\"").And.Contain("model = \"gpt-5\""));
        Assert.That(people, Does.Not.Contain("warn"));
        var named = await RunAsync(variables, "connect", "codex", "--server", admin, "--base-url", "https://llm.example.com/team/v1/");
        Assert.That(named.Results, Does.Contain("base_url = \"https://llm.example.com/team/v1\""));
    }

    [Test]
    public async Task With_TLS_the_address_is_https_and_the_certificate_is_thought_of()
    {
        await WriteCertificateAsync("tls.pem");
        var host = await StartAsync("\"claude-x\": \"anthropic/x\", \"gpt-5\": \"openai/gpt-5\"", "\"Listen\": { \"Api\": \"https://127.0.0.1:0\", \"Certificate\": \"tls.pem\" },");
        var (code, results, people) = await RunAsync(null, "connect", "claude");
        Assert.That(code, Is.Zero, people);
        Assert.That(results, Does.Contain($"export ANTHROPIC_BASE_URL='{host.Address}'").And.Contain("'https://"));
        Assert.That(people, Does.Contain("its certificate has to be for 127.0.0.1").And.Contain("NODE_EXTRA_CA_CERTS=FILE.pem"));
    }

    [Test]
    public async Task As_JSON_it_is_all_in_one_object()
    {
        await StartCompanyAsync();
        var codex = await JsonAsync("codex");
        Assert.That(
            codex.EnumerateObject().Select(static member => member.Name),
            Is.EqualTo(new[] { "client", "base_url", "model", "key", "variables", "files", "snippet" }));
        Assert.Multiple(() =>
        {
            Assert.That(codex.GetProperty("key").ValueKind, Is.EqualTo(JsonValueKind.Null));
            Assert.That(codex.GetProperty("variables").GetRawText(), Is.EqualTo("{\"LLMPROXY_API_KEY\":null}"));
            Assert.That(codex.GetProperty("files").GetProperty("~/.codex/config.toml").GetString(), Does.Contain("wire_api = \"responses\""));
            Assert.That(codex.GetProperty("snippet").ValueKind, Is.EqualTo(JsonValueKind.Null));
        });

        var claude = await JsonAsync("claude", "--key", CompanyKey);
        Assert.That(claude.GetProperty("base_url").GetString(), Does.Not.EndWith("/v1"));
        Assert.That(claude.GetProperty("variables").GetProperty("ANTHROPIC_AUTH_TOKEN").GetString(), Is.EqualTo(CompanyKey));
        Assert.That(claude.GetProperty("files").GetRawText(), Is.EqualTo("{}"));
        Assert.That((await JsonAsync("dotnet")).GetProperty("snippet").GetString(), Does.Contain("new OpenAIClientOptions { Endpoint = new Uri("));
    }

    private async Task<JsonElement> JsonAsync(params string[] arguments)
    {
        var (code, results, people) = await RunAsync(null, ["connect", .. arguments, "--json"]);
        Assert.That(code, Is.Zero, people);
        using var json = JsonDocument.Parse(results);
        return json.RootElement.Clone();
    }
}
