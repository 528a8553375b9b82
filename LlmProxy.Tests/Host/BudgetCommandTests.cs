using System.Net;
using System.Text.Json;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>The first minutes of somebody who gives out keys: by the command line alone.</summary>
internal sealed class BudgetCommandTests : HostTest
{
    [Test]
    public async Task A_key_with_a_dollar_is_made_spent_refused_and_seen_in_the_usage()
    {
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        var (code, results, people) = await RunAsync(null, "keys", "create", "anna", "--budget-day", "1");
        Assert.That(code, Is.Zero, people);
        Assert.That(results, Does.Match("^sk-llmp-[0-9A-Za-z]+\n$"), "standard output holds the key and nothing else");
        Assert.That(people, Does.Contain("1 USD a day").And.Not.Contain(results.Trim()));

        using var client = host.Client();
        client.DefaultRequestHeaders.Authorization = new("Bearer", results.Trim());
        var served = 0;
        HttpResponseMessage answer;
        while (true)
        {
            answer = await PostAsync(client, "/v1/chat/completions", """{"model":"demo","messages":[{"role":"user","content":"hi"}]}""");
            if (answer.StatusCode != HttpStatusCode.OK)
            {
                break;
            }

            answer.Dispose();
            served++;
        }

        var refusal = await answer.Content.ReadAsStringAsync();
        answer.Dispose();
        Assert.Multiple(() =>
        {
            Assert.That(served, Is.EqualTo(4), "each costs a little more than 20 cents");
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.TooManyRequests));
            Assert.That(answer.Headers.GetValues("x-should-retry").Single(), Is.EqualTo("false"));
            Assert.That(refusal, Does.Contain("insufficient_quota").And.Contain("of 1.00 USD").And.Contain("It resets "));
        });

        var shown = await RunAsync(null, "keys", "show", "anna");
        Assert.That(shown.Results, Does.Match(@"left +0\.1\d+ of 1\.00 USD a day, until "));
        var usage = await UsageAsync();
        Assert.Multiple(() =>
        {
            Assert.That(usage.GetProperty("model").GetString(), Is.EqualTo("demo"));
            Assert.That(usage.GetProperty("requests").GetInt64(), Is.EqualTo(4));
            Assert.That(usage.GetProperty("cost").GetDecimal(), Is.GreaterThan(0.8m).And.LessThan(1m));
            Assert.That(usage.GetProperty("estimated").GetInt64() + usage.GetProperty("unpriced").GetInt64(), Is.Zero);
        });

        var table = await RunAsync(null, "usage", "--by", "key,model");
        Assert.That(table.Results, Does.Match(@"(?m)^anna +demo +4 ").And.Contain("100 % from upstream usage"));
    }

    [Test]
    public async Task A_key_is_listed_rotated_and_revoked()
    {
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        var first = (await RunAsync(null, "keys", "create", "ci", "--rpm", "100", "--metadata", "owner=ops")).Results.Trim();
        Assert.That(await StatusAsync(host, first), Is.EqualTo(HttpStatusCode.OK));
        Assert.That((await RunAsync(null, "keys", "list")).Results, Does.Match(@"(?m)^ci .*active +100 requests a minute$").And.Not.Contain(first));

        var second = (await RunAsync(null, "keys", "rotate", "ci", "--overlap", "1h")).Results.Trim();
        Assert.That(second, Is.Not.EqualTo(first));
        Assert.That((await StatusAsync(host, first), await StatusAsync(host, second)), Is.EqualTo((HttpStatusCode.OK, HttpStatusCode.OK)));

        Assert.That((await RunAsync(null, "keys", "revoke", "ci")).Code, Is.Zero);
        Assert.That((await StatusAsync(host, first), await StatusAsync(host, second)), Is.EqualTo((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized)));
        var again = await RunAsync(null, "keys", "revoke", "nobody");
        Assert.That((again.Code, again.People), Is.EqualTo((1, "llmproxy: There is no key \"nobody\".\n")));
    }

    [Test]
    public async Task Without_a_running_instance_commands_work_on_the_store_itself()
    {
        const string Key = "sk-a-key-of-a-client-0123456789";
        await using (var upstream = await TinyUpstream.StartAsync())
        {
            await WriteAsync("llmproxy.json", Configuration(upstream.Url, Key, "\"Listen\": { \"Api\": \"http://127.0.0.1:0\" },"));
            var made = await RunAsync(null, "keys", "create", "early");
            Assert.That(made.Code, Is.Zero, made.People);
            Assert.That((await RunAsync(null, "migrate")).Code, Is.Zero);
            Assert.That((await RunAsync(null, "check", "--store")).Code, Is.Zero);

            var host = await Start().StartedAsync();
            Assert.That(await StatusAsync(host, made.Results.Trim()), Is.EqualTo(HttpStatusCode.OK));
            using (var client = host.Client())
            {
                client.DefaultRequestHeaders.Authorization = new("Bearer", made.Results.Trim());
                using var answer = await PostAsync(client, "/v1/chat/completions", """{"model":"small","stream":true,"messages":[]}""");
                Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            }

            Assert.That(await host.StoppedAsync(), Is.Zero);
            var usage = await UsageAsync();
            Assert.That(usage.GetProperty("requests").GetInt64(), Is.EqualTo(1));
        }
    }

    private async Task<JsonElement> UsageAsync()
    {
        // Rows are written behind; the journal is asked for none.
        for (var i = 0; i < 50; i++)
        {
            var (code, results, people) = await RunAsync(null, "usage", "--json");
            Assert.That(code, Is.Zero, people);
            using var json = JsonDocument.Parse(results);
            if (json.RootElement.GetProperty("waiting").GetInt64() == 0 && json.RootElement.GetProperty("totals").GetArrayLength() > 0)
            {
                return json.RootElement.GetProperty("totals")[0].Clone();
            }
        }

        throw new AssertionException("the rows never came to the store");
    }

    private static async Task<HttpStatusCode> StatusAsync(HostProcess host, string key)
    {
        using var client = host.Client();
        client.DefaultRequestHeaders.Authorization = new("Bearer", key);
        using var answer = await client.GetAsync("/v1/models");
        return answer.StatusCode;
    }
}
