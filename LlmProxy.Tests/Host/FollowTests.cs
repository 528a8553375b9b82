using System.Net;
using System.Text.Json;
using LlmProxy.Tests.Configuration;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>The executable follows its configuration, and says before and after what a change does.</summary>
internal sealed class FollowTests : HostTest
{
    private const string Key = "sk-a-key-of-a-client-0123456789";

    [Test]
    public async Task What_is_written_comes_in_force_and_readiness_says_which_generation_it_is()
    {
        await WriteAsync("llmproxy.json", Configuration("http://127.0.0.1:9/v1", Key));
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client(Key);
        using (var first = await ReadyAsync(client))
        {
            Assert.That(first.RootElement.GetProperty("generation").GetInt64(), Is.EqualTo(1));
            Assert.That(first.RootElement.GetProperty("source").GetString(), Is.EqualTo("./llmproxy.json"));
            Assert.That(first.RootElement.GetProperty("upstreams").GetProperty("tiny").GetProperty("state").GetString(), Is.EqualTo("ok"));
            Assert.That(first.RootElement.TryGetProperty("reload_error", out _), Is.False);
        }

        await WriteAsync("llmproxy.json", Configuration("http://127.0.0.1:9/v1", Key).Replace("\"small\"", "\"large\"", StringComparison.Ordinal));
        await host.SaysAsync("generation 2 is in force");
        Assert.That(await client.GetStringAsync("/v1/models"), Does.Contain("large").And.Not.Contain("small"));
        await host.SaysAsync("takes access away: small: key anna would get 404");
        var record = (await host.ResultsInAsync("""^{.*"operation":"models".*}$""")).Value;
        Assert.That(record, Does.Contain("\"generation\":2"));
    }

    [Test]
    [Category("P03")]
    public async Task What_cannot_be_used_is_in_readiness_in_the_log_and_in_a_metric_and_all_goes_on()
    {
        var good = Configuration("http://127.0.0.1:9/v1", Key);
        await WriteAsync("llmproxy.json", good);
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client(Key);
        await WriteAsync("llmproxy.json", good.Replace("tiny/tiny-1", "tinny/tiny-1", StringComparison.Ordinal));
        var said = (await host.SaysAsync(@"^.*error  LlmProxy\.Core\.LlmProxyReload.*$")).Value;
        using var ready = await ReadyAsync(client);
        var problem = ready.RootElement.GetProperty("reload_error").GetProperty("problems")[0];
        var metrics = await client.GetStringAsync("/metrics");
        Assert.Multiple(() =>
        {
            Assert.That(said, Does.Contain("generation 1 stays in force. line 4: Models › small: ").And.Contain("tinny"));
            Assert.That(problem.GetProperty("line").GetInt32(), Is.EqualTo(4));
            Assert.That(problem.GetProperty("message").GetString(), Does.Contain("tinny"));
            Assert.That(metrics, Does.Match(@"llmproxy_config_reload_failures_total\S* 1\n"));
        });

        await WriteAsync("llmproxy.json", good + "\n");
        await host.SaysAsync("generation 2 is in force");
        using var again = await ReadyAsync(client);
        Assert.That(again.RootElement.TryGetProperty("reload_error", out _), Is.False);
    }

    [Test]
    public async Task What_would_let_anybody_in_is_refused_later_as_it_is_at_the_start()
    {
        var written = Configuration("http://127.0.0.1:9/v1", Key);
        await WriteAsync("llmproxy.json", written);
        var host = await Start("--urls", "http://0.0.0.0:0").StartedAsync();
        await WriteAsync("llmproxy.json", written.Replace("\"Models\"", "\"AllowAnonymous\": true, \"Models\"", StringComparison.Ordinal));
        await host.SignalAsync("HUP");
        await host.SaysAsync("stays in force.*AllowAnonymous would serve anybody");
        using var client = new HttpClient { BaseAddress = new Uri(host.Address.Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal)) };
        using var refused = await client.GetAsync("/v1/models");
        using var ready = await ReadyAsync(client);
        Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(ready.RootElement.EnumerateObject().Select(m => m.Name), Is.EqualTo(new[] { "status", "in_flight", "demo", "generation" }), "names and errors are not for everybody");
    }

    [Test]
    public async Task The_key_of_this_run_stays_when_the_file_changes()
    {
        await WriteAsync("llmproxy.json", """{ "Upstreams": { "tiny": { "Url": "http://127.0.0.1:9" } }, "Models": { "one": "tiny/m" } }""");
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        await WriteAsync("llmproxy.json", """{ "Upstreams": { "tiny": { "Url": "http://127.0.0.1:9" } }, "Models": { "two": "tiny/m" } }""");
        await host.SaysAsync("generation 2 is in force");
        using var client = host.Client();
        Assert.That(await client.GetStringAsync("/v1/models"), Does.Contain("two"));
    }

    [Test]
    public async Task The_section_of_appsettings_is_followed_too_and_stays_in_force_while_the_file_is_broken()
    {
        var written = "{ \"LlmProxy\": " + Configuration("http://127.0.0.1:9/v1", Key) + "}";
        await WriteAsync("appsettings.json", written);
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        await WriteAsync("appsettings.json", written.Replace("small", "large", StringComparison.Ordinal));
        await host.SaysAsync("generation 2 is in force");
        await WriteAsync("appsettings.json", "{ \"LlmProxy\": ");
        await host.SaysAsync("cannot be used; generation 2 stays in force");
        using var client = host.Client(Key);
        Assert.That(await client.GetStringAsync("/v1/models"), Does.Contain("large"));
    }

    [Test]
    public async Task Check_online_asks_every_upstream_and_says_what_the_running_instance_would_lose()
    {
        await using var upstream = new ScriptedUpstream();
        upstream.Otherwise(Replies.Json(200, """{"object":"list","data":[{"id":"a"},{"id":"b"}]}"""));
        await using var refusing = new ScriptedUpstream();
        refusing.Otherwise(Replies.Json(401, "{}"));
        await WriteAsync("llmproxy.json", Written(upstream, refusing, "\"small\": \"good/m\", \"other\": \"good/n\""));
        var secret = Variables(("UP", "sk-up"));
        var same = await RunAsync(secret, "check", "--online");
        var host = await Start(secret, "--urls", "http://127.0.0.1:0").StartedAsync();
        var socket = Directory.GetFiles(Path.Combine(Folder, ".data"), "*.sock").Single();
        if (!OperatingSystem.IsWindows())
        {
            Assert.That(File.GetUnixFileMode(socket), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
            Assert.That(Directory.GetFileSystemEntries(Path.GetDirectoryName(socket)!, ".*"), Is.Empty, "nothing is left of where it was made");
        }

        // A variable that the running instance does not have keeps it from following before it was asked.
        await WriteAsync("llmproxy.json", Written(upstream, refusing, "\"small\": [\"refuses/m\", \"good/m\"], \"new\": \"good/n\"").Replace("${UP}", "${NEW}", StringComparison.Ordinal));
        await host.SaysAsync("the environment variable NEW is not set");
        var plain = await RunAsync(Variables(("NEW", "sk-up")), "check", "--online");
        var asJson = await RunAsync(Variables(("NEW", "sk-up")), "check", "--online", "--json");
        using var json = JsonDocument.Parse(asJson.Results);
        Assert.Multiple(() =>
        {
            Assert.That(same.Code, Is.EqualTo(3));
            Assert.That(same.People, Does.Contain("nothing to compare with"));
            Assert.That(same.Results, Does.Match(@"^good     ok \d+ ms   2 models   chat completions embeddings\nrefuses  FAILED      it refuses our credentials \(401\)\nusable, 1 upstream down\n$"));
            Assert.That(plain.Code, Is.EqualTo(3));
            Assert.That(plain.Results, Does.Contain("""
                against running generation 1:
                  + new     to good/n
                  - other   key anna would get 404
                  ~ small   first target good/m → refuses/m
                usable, 1 upstream down, 1 change takes access away
                """.ReplaceLineEndings("\n")));
            Assert.That(json.RootElement.GetProperty("changes")[1].GetProperty("takes_access_away").GetBoolean(), Is.True);
            Assert.That(json.RootElement.GetProperty("upstreams")[0].GetProperty("models").GetInt32(), Is.EqualTo(2));
            Assert.That(upstream.Requests[0].Target, Is.EqualTo("/v1/models"));
            Assert.That(upstream.Requests[0].Headers["Authorization"], Is.EqualTo("Bearer sk-up"));
        });

        Assert.That(await host.StoppedAsync(), Is.Zero);
        Assert.That(File.Exists(socket), Is.False, "it takes its socket with it");
    }

    [Test]
    public async Task A_copy_is_compared_with_the_instance_that_it_is_to_change()
    {
        await using var upstream = new ScriptedUpstream();
        upstream.Otherwise(Replies.Json(404, "{}"));
        await WriteAsync("llmproxy.json", Configuration(upstream.Url.ToString(), Key));
        await WriteAsync("second.json", Configuration(upstream.Url.ToString(), Key));
        await WriteAsync("next.json", Configuration(upstream.Url.ToString(), Key).Replace("\"small\"", "\"large\"", StringComparison.Ordinal));
        string[] check = ["check", "--online", "--config", "next.json"];
        await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        var one = await RunAsync(null, check);
        await Start("--urls", "http://127.0.0.1:0", "--config", "second.json").StartedAsync();
        var several = await RunAsync(null, check);
        var named = await RunAsync(null, [.. check, "--against", "llmproxy.json"]);
        var none = await RunAsync(null, [.. check, "--against", "next.json"]);
        Assert.Multiple(() =>
        {
            Assert.That(one.Code, Is.EqualTo(3), one.Results);
            Assert.That(one.People, Does.Match("Compared with the instance that was started with /.*/llmproxy.json"));
            Assert.That(one.Results, Does.Contain("  - small").And.Contain("would get 404"));
            Assert.That(several.Code, Is.EqualTo(3), several.Results);
            Assert.That(several.People, Does.Match("Nothing was compared: .* Name one with --against: .*").And.Contains("second.json").And.Contains("llmproxy.json"));
            Assert.That((named.Code, named.Results.Contains("  - small", StringComparison.Ordinal)), Is.EqualTo((3, true)));
            Assert.That(none.Code, Is.EqualTo(1));
            Assert.That(none.People, Does.Contain("no instance that was started with it runs here"));
        });
    }

    [Test]
    public async Task The_log_says_that_an_upstream_has_gone_and_that_it_is_back()
    {
        await using var upstream = new ScriptedUpstream();
        upstream.Next(Replies.Json(500, "{}"));
        upstream.Next(Replies.Json(500, "{}"));
        upstream.Otherwise(Replies.Json(200, """{"object":"list","data":[]}"""));
        await WriteAsync("llmproxy.json", Configuration(upstream.Url.ToString(), Key).Replace("\"Url\"", "\"Probe\": { \"Every\": \"1s\" }, \"Url\"", StringComparison.Ordinal));
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        await host.SaysAsync("warn .*Upstream tiny failed two health checks in a row");
        await host.SaysAsync("info .*Upstream tiny passed a health check and is asked again");
    }

    [Test]
    public async Task Check_online_is_content_when_all_are_there_and_does_not_ask_for_a_file_that_cannot_be_used()
    {
        await using var upstream = new ScriptedUpstream();
        upstream.Otherwise(Replies.Json(404, "{}"));
        await WriteAsync("llmproxy.json", Configuration(upstream.Url.ToString(), Key));
        var fine = await RunAsync(null, "check", "--online");
        await WriteAsync("llmproxy.json", Configuration(upstream.Url.ToString(), Key).Replace("tiny/tiny-1", "tinny/tiny-1", StringComparison.Ordinal));
        var broken = await RunAsync(null, "check", "--online");
        Assert.Multiple(() =>
        {
            Assert.That(fine.Code, Is.Zero, fine.Results);
            Assert.That(fine.Results, Does.Match("lists no models.*\n0 errors, 0 warnings: usable\n$"));
            Assert.That(broken.Code, Is.EqualTo(1));
            Assert.That(upstream.Requests, Has.Count.EqualTo(1));
        });
    }

    [Test]
    public async Task Schema_prints_what_init_lays_beside_its_file_which_fits_it()
    {
        var printed = await RunAsync(null, "schema");
        await RunAsync(null, "init");
        var written = await File.ReadAllTextAsync(Path.Combine(Folder, "llmproxy.json"));
        Assert.That(printed.Results, Is.EqualTo(LlmProxy.Core.Configuration.LlmProxyConfiguration.Schema));
        Assert.That(await File.ReadAllTextAsync(Path.Combine(Folder, "llmproxy.schema.json")), Is.EqualTo(printed.Results));
        Assert.That(written, Does.Contain("\"$schema\": \"./llmproxy.schema.json\""));
        Schema.AssertFits(written, "llmproxy init");
    }

    private static string Written(ScriptedUpstream good, ScriptedUpstream refusing, string models) => $$"""
        {
          "Upstreams": { "good": { "Url": "{{good.Url}}", "ApiKey": "${UP}" }, "refuses": { "Url": "{{refusing.Url}}" } },
          "Models": { {{models}} },
          "Keys": { "anna": { "Hash": "{{LlmProxy.Core.Authentication.ApiKeys.Hash(Key)}}" } }
        }
        """;

    private static async Task<JsonDocument> ReadyAsync(HttpClient client)
    {
        using var response = await client.GetAsync("/readyz");
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), "not ready because of a file would take all traffic away");
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync());
    }
}
