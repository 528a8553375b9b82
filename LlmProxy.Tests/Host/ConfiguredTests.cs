using System.Net;
using System.Text.Json;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>The two ways to configure the executable: four variables, or a file.</summary>
internal sealed class ConfiguredTests : HostTest
{
    private const string ClientKey = "sk-a-key-of-a-client-0123456789";

    private const string Introduce =
        """
        {"model": "deepseekqwen7bq8", "messages": [{"role": "system", "content": "You are a helpful assistant."},
         {"role": "user", "content": "Introduce yourself"}], "temperature": 0.7, "top_p": 1, "stream": true}
        """;

    private TinyUpstream _upstream = null!;

    [SetUp]
    public async Task StartUpstreamAsync() => _upstream = await TinyUpstream.StartAsync();

    [TearDown]
    public async Task StopUpstreamAsync() => await _upstream.DisposeAsync();

    [Test]
    public async Task With_the_four_variables_whatever_model_is_named_goes_up_as_the_target_model()
    {
        var variables = Variables(("URL", _upstream.Url + "/"), ("DASHSCOPE_API_KEY", "sk-up"), ("TARGET_MODEL", "tiny-1"), ("VERIFY_API_KEY", ClientKey));
        var host = await Start(variables, "--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client(ClientKey);
        using var response = await PostAsync(client, "/v1/chat/completions", Introduce);
        var stream = await response.Content.ReadAsStringAsync();
        var models = await client.GetStringAsync("/v1/models");

        Assert.That(_upstream.Requests.TryDequeue(out var asked), Is.True, stream);
        using var body = JsonDocument.Parse(asked!.Body);
        using var list = JsonDocument.Parse(models);
        Assert.Multiple(() =>
        {
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(stream, Is.EqualTo(TinyUpstream.Stream.ReplaceLineEndings("\n")));
            Assert.That(asked.Path, Is.EqualTo("/v1/chat/completions"));
            Assert.That(asked.Authorization, Is.EqualTo("Bearer sk-up"));
            Assert.That(body.RootElement.GetProperty("model").GetString(), Is.EqualTo("tiny-1"));
            Assert.That(asked.Body, Is.EqualTo("{\"stream_options\":{\"include_usage\":true}," + Introduce[1..].Replace("deepseekqwen7bq8", "tiny-1", StringComparison.Ordinal)), "the rest as it came");
            Assert.That(list.RootElement.GetProperty("data").EnumerateArray().Select(m => m.GetProperty("id").GetString()), Is.EqualTo(new[] { "tiny-1" }));
            Assert.That(host.Key, Is.Null, "a key was configured");
            Assert.That(host.People, Does.Contain("the variables URL and TARGET_MODEL"));
            Assert.That(host.People, Does.Not.Contain(ClientKey).And.Not.Contain("sk-up"));
        });
    }

    [TestCase("/openai/deployments/whatever/chat/completions?api-version=2024-10-21", """{"messages": [], "stream": true}""", """{"model":"tiny-1","stream_options":{"include_usage":true},"messages": [], "stream": true}""")]
    [TestCase("/openai/v1/chat/completions", """{"model": "x", "messages": [], "stream": true}""", """{"stream_options":{"include_usage":true},"model": "tiny-1", "messages": [], "stream": true}""")]
    public async Task Clients_made_for_Azure_take_its_bare_address(string path, string body, string sent)
    {
        var variables = Variables(("URL", _upstream.Url), ("TARGET_MODEL", "tiny-1"), ("VERIFY_API_KEY", ClientKey));
        var host = await Start(variables, "--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client();
        client.DefaultRequestHeaders.Add("api-key", ClientKey);
        using var response = await PostAsync(client, path, body);
        Assert.That(await response.Content.ReadAsStringAsync(), Is.EqualTo(TinyUpstream.Stream.ReplaceLineEndings("\n")));
        Assert.That(_upstream.Requests.TryDequeue(out var asked), Is.True);
        Assert.That((asked!.Path, asked.Authorization, asked.Body), Is.EqualTo(("/v1/chat/completions", "", sent)));
    }

    [Test]
    public async Task Own_names_win_and_without_an_upstream_key_no_authorization_goes_up()
    {
        var variables = Variables(
            ("URL", "http://127.0.0.1:9/"), ("TARGET_MODEL", "old"), ("LLMPROXY_UPSTREAM_URL", _upstream.Url), ("LLMPROXY_UPSTREAM_MODEL", "new"));
        var host = await Start(variables, "--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client();
        using var response = await PostAsync(client, "/v1/chat/completions", Introduce);
        Assert.That(_upstream.Requests.TryDequeue(out var asked), Is.True, await response.Content.ReadAsStringAsync());
        Assert.Multiple(() =>
        {
            Assert.That(asked!.Authorization, Is.Empty);
            Assert.That(asked.Body, Does.Contain("\"new\""));
            Assert.That(host.Key, Is.Not.Null, "one was made for this run");
        });
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task With_a_file_in_the_folder_or_named_it_serves_what_the_file_says(bool isNamed)
    {
        await WriteAsync(isNamed ? "named.json" : "llmproxy.json", Configuration(_upstream.Url, ClientKey));
        string[] named = isNamed ? ["--config", "named.json"] : [];
        var host = await Start([.. named, "--urls", "http://127.0.0.1:0"]).StartedAsync();
        using var client = host.Client(ClientKey);
        using var response = await PostAsync(client, "/chat/completions", Introduce.Replace("deepseekqwen7bq8", "small", StringComparison.Ordinal));
        using var unknown = await PostAsync(client, "/v1/chat/completions", Introduce);
        var stream = await response.Content.ReadAsStringAsync();
        Assert.Multiple(() =>
        {
            Assert.That(stream, Does.EndWith("data: [DONE]\n\n"), "the bare path is served as well");
            Assert.That(unknown.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
            Assert.That(host.People, Does.Contain(isNamed ? "named.json" : "./llmproxy.json"));
        });
    }

    [Test]
    public async Task The_section_of_appsettings_serves_too()
    {
        await WriteAsync("appsettings.json", "{ \"LlmProxy\": " + Configuration(_upstream.Url, ClientKey) + "}");
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client(ClientKey);
        Assert.That(await client.GetStringAsync("/v1/models"), Does.Contain("\"small\""));
        Assert.That(host.People, Does.Contain("the section LlmProxy of ./appsettings.json"));
    }

    [Test]
    public async Task A_file_without_keys_gets_one_for_this_run()
    {
        await WriteAsync("llmproxy.json", $$"""{ "Upstreams": { "tiny": { "Url": "{{_upstream.Url}}" } }, "Models": { "*": "tiny/*" } }""");
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client();
        using var response = await PostAsync(client, "/v1/chat/completions", Introduce);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }
}
