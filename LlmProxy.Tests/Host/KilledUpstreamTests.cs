using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using LlmProxy.Core.Authentication;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>As a new user would try it: two upstreams, processes of their own, one of them killed under a streaming load.</summary>
internal sealed class KilledUpstreamTests : HostTest
{
    private const string ClientKey = "sk-a-key-of-a-client-0123456789";
    private const string Question = """{"model":"demo","stream":true,"messages":[{"role":"user","content":"hello"}]}""";

    private readonly ConcurrentQueue<Answer> _answers = new();

    [Test]
    public async Task Nothing_is_to_be_seen_but_another_name_in_a_header()
    {
        var first = await Start("demo", "--urls", "http://127.0.0.1:0").StartedAsync();
        var second = await Start("demo", "--urls", "http://127.0.0.1:0").StartedAsync();
        await WriteAsync("llmproxy.json", $$"""
            {
              "Upstreams": { "first": { "Url": "{{first.Address}}", "ApiKey": "{{first.Key}}" }, "second": { "Url": "{{second.Address}}", "ApiKey": "{{second.Key}}" } },
              "Models": { "demo": ["first/demo", "second/demo"] },
              "Keys": { "anna": { "Hash": "{{ApiKeys.Hash(ClientKey)}}", "Debug": true } }
            }
            """);
        var proxy = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = proxy.Client(ClientKey);
        using var enough = new CancellationTokenSource();
        var load = Enumerable.Range(0, 6).Select(_ => AskOnAsync(client, enough.Token)).ToArray();
        await Support.Deadline.Until(() => _answers.Count >= 12, TimeSpan.FromSeconds(60));
        await first.SignalAsync("KILL");
        await first.ExitedAsync();
        var before = _answers.Count;
        await Support.Deadline.Until(() => _answers.Count >= before + 24, TimeSpan.FromSeconds(60));
        await enough.CancelAsync();
        await Task.WhenAll(load);

        // What was in the middle of an answer of the killed one can only break, and says so. Everything else is whole.
        var broken = _answers.Where(a => !a.IsWhole).ToArray();
        Assert.Multiple(() =>
        {
            Assert.That(_answers.Select(a => a.Status), Is.All.EqualTo(HttpStatusCode.OK));
            Assert.That(broken, Has.Length.LessThanOrEqualTo(6));
            Assert.That(broken.Select(a => a.Upstream), Is.All.EqualTo("first"));
            Assert.That(broken.Select(a => a.Text.Contains("[DONE]", StringComparison.Ordinal)), Is.All.False);
            Assert.That(_answers.First().Upstream, Is.EqualTo("first"));
            Assert.That(_answers.Last().Upstream, Is.EqualTo("second"));
        });

        using var ready = JsonDocument.Parse(await client.GetStringAsync("/readyz"));
        var states = ready.RootElement.GetProperty("upstreams");
        Assert.That(states.GetProperty("first").GetProperty("state").GetString(), Is.EqualTo("open"));
        Assert.That(states.GetProperty("second").GetProperty("state").GetString(), Is.EqualTo("ok"));
        var record = await proxy.ResultsInAsync("\"tried\":\\[\\{\"upstream\":\"first\",\"upstream_model\":\"demo\",\"end\":\"[a-z_]+\",\"duration_ms\":[\\d.]+\\},\\{\"upstream\":\"second\"");
        Assert.That(record.Success, Is.True);
        Assert.That(await client.GetStringAsync("/metrics"), Does.Match("llmproxy_upstream_state[^\n]*llmproxy_upstream=\"first\"[^\n]* 0\n"));
    }

    private async Task AskOnAsync(HttpClient client, CancellationToken enough)
    {
        while (!enough.IsCancellationRequested)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(Question, Encoding.UTF8, "application/json") };
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, CancellationToken.None);
            var upstream = response.Headers.TryGetValues("x-llmproxy-upstream", out var names) ? names.Single() : "";
            var text = new StringBuilder();
            try
            {
                using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(CancellationToken.None));
                while (await reader.ReadLineAsync(CancellationToken.None) is { } line)
                {
                    text.Append(line).Append('\n');
                }

                _answers.Enqueue(new Answer(response.StatusCode, upstream, text.ToString(), text.ToString().EndsWith("data: [DONE]\n\n", StringComparison.Ordinal)));
            }
            catch (Exception e) when (e is IOException or HttpRequestException)
            {
                _answers.Enqueue(new Answer(response.StatusCode, upstream, text.ToString(), IsWhole: false));
            }
        }
    }

    private sealed record Answer(HttpStatusCode Status, string Upstream, string Text, bool IsWhole);
}
