using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

internal sealed class DemoTests : HostTest
{
    private const string Hello = """{"model":"demo","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hello"}]}""";

    [Test]
    public async Task With_nothing_configured_it_streams_the_demo_word_by_word_to_its_closing_event()
    {
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(Hello) };
        request.Content.Headers.ContentType = new("application/json");
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));

        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var events = new List<string>();
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                events.Add(line[6..]);
            }
        }

        Assert.Multiple(() =>
        {
            Assert.That(events, Has.Count.GreaterThan(20));
            Assert.That(events[^1], Is.EqualTo("[DONE]"));
            Assert.That(events, Has.Some.Contains("“hello”"));
            Assert.That(events[^2], Does.Contain("\"total_tokens\""));
            Assert.That(host.People, Does.Contain("DEMO"));
            Assert.That(host.Key, Has.Length.GreaterThan(30));
        });
    }

    [Test]
    public async Task The_demo_answers_whole_legacy_and_embedding_requests_and_lists_one_model()
    {
        var host = await Start("demo", "--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client();
        var chat = await JsonAsync(await PostAsync(client, "/v1/chat/completions", """{"model":"demo","messages":[{"role":"user","content":"hi"}]}"""));
        var legacy = await JsonAsync(await PostAsync(client, "/v1/completions", """{"model":"demo","prompt":"hi"}"""));
        var embedding = await JsonAsync(await PostAsync(client, "/v1/embeddings", """{"model":"demo","input":"hi","dimensions":8}"""));
        var models = await JsonAsync(await client.GetAsync("/v1/models"));
        Assert.Multiple(() =>
        {
            Assert.That(chat.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString(), Does.Contain("“hi”"));
            Assert.That(chat.GetProperty("usage").GetProperty("total_tokens").GetInt32(), Is.GreaterThan(0));
            Assert.That(legacy.GetProperty("choices")[0].GetProperty("text").GetString(), Does.Contain("“hi”"));
            Assert.That(embedding.GetProperty("data")[0].GetProperty("embedding").EnumerateArray().Sum(v => v.GetDouble() * v.GetDouble()), Is.EqualTo(1).Within(1e-6));
            Assert.That(models.GetProperty("data").EnumerateArray().Select(m => m.GetProperty("id").GetString()), Is.EqualTo(new[] { "demo" }));
        });
    }

    [Test]
    public async Task The_demo_wants_the_key_that_it_printed()
    {
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client("sk-llmp-guessed");
        using var response = await PostAsync(client, "/v1/chat/completions", Hello);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.Unauthorized));
    }

    [Test]
    public async Task The_demo_takes_the_next_free_port_and_says_so_when_its_own_is_taken()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 8000);
        try
        {
            taken.Start();
        }
        catch (SocketException)
        {
            // Somebody else's server stands there: as good.
        }

        var host = await Start().StartedAsync();
        Assert.Multiple(() =>
        {
            Assert.That(new Uri(host.Address).Port, Is.Not.EqualTo(8000));
            Assert.That(host.People, Does.Contain("Port 8000 is taken"));
        });
    }

    [Test]
    public async Task Ask_prints_the_answer_and_nothing_else_on_standard_output()
    {
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        var (code, results, people) = await RunAsync(Variables(("LLMPROXY_CLIENT_KEY", host.Key!)), "ask", "hello", "--server", host.Address);
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.Zero);
            Assert.That(results, Does.StartWith("Hello").And.Contain("“hello”"));
            Assert.That(people, Is.Empty);
        });
    }

    [Test]
    public async Task It_stops_when_asked_to_and_says_that_all_is_well()
    {
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        Assert.That(await host.StoppedAsync(), Is.Zero);
    }

    private static async Task<JsonElement> JsonAsync(HttpResponseMessage response)
    {
        using (response)
        {
            var text = await response.Content.ReadAsStringAsync();
            Assert.That(response.IsSuccessStatusCode, Is.True, text);
            using var json = JsonDocument.Parse(text);
            return json.RootElement.Clone();
        }
    }
}
