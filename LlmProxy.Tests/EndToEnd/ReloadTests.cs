using System.Diagnostics.Metrics;
using System.Globalization;
using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Another configuration while requests run.</summary>
public sealed class ReloadTests : ProxyFixture
{
    private const string Generation = "x-llmproxy-generation";

    [SetUp]
    public void ReadFromFile()
    {
        Setup.IsFromFile = true;
        Setup.Options.Keys["tester"].Debug = true;
        // Only what a reload closes is closed before the test is over.
        Setup.Main.Kind = UpstreamKind.OpenAI;
    }

    [Test]
    [Category("P05")]
    public async Task Fifty_reloads_under_load_fail_no_request_and_each_request_sees_one_generation_throughout()
    {
        const int Reloads = 50;
        ScriptedUpstream second = NewUpstream();
        foreach (ScriptedUpstream upstream in (ScriptedUpstream[])[Upstream, second])
        {
            upstream.Otherwise(exchange =>
            {
                WireHeaders headers = exchange.Request.Headers;
                return Replies.Stream(Chat.Words(headers["x-of-upstream"] + " " + headers["x-of-model"]))(exchange);
            });
        }

        Mark(0);
        await StartAsync();
        using var over = new CancellationTokenSource();
        Task<List<string>>[] load = [.. Enumerable.Range(0, 8).Select(_ => LoadAsync(over.Token))];
        for (int i = 1; i <= Reloads; i++)
        {
            Mark(i);
            Setup.Main.Url = i % 2 == 0 ? Upstream.Url : second.Url;
            await ReloadAsync(i + 1);

            // Some go on from generation to generation; others have to be sure to meet this one.
            int served = Proxy.Records.Count;
            await Deadline.Until(() => Proxy.Records.Count > served + load.Length, what: "requests on the new generation");
        }

        await over.CancelAsync();
        List<string> seen = [.. (await Deadline.In(Task.WhenAll(load))).SelectMany(one => one)];
        TestContext.Out.WriteLine($"{seen.Count} requests on {seen.Distinct().Count()} generations");
        await Deadline.Until(() => Proxy.Records.Count >= seen.Count, what: "all records");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(seen.Where(one => !IsOneGeneration(one)), Is.Empty, "header, upstream's mark and model's mark belong together");
            Assert.That(seen.Distinct().Count(), Is.GreaterThan(Reloads / 2), "requests ran on many generations");
            Assert.That(Proxy.Records.Where(record => record.End != "ok"), Is.Empty);
            Assert.That(Proxy.Records.Select(record => record.Generation).Distinct().Count(), Is.EqualTo(seen.Distinct().Count()), "records say it too");
        }
    }

    [Test]
    public async Task What_is_doubtful_is_said_once_and_not_again_with_each_reload()
    {
        InProcessOnly("it looks at the log");
        Setup.Main.Queue.Requests = 5;
        await StartAsync();
        for (int i = 1; i <= 2; i++)
        {
            Mark(i);
            await ReloadAsync(i + 1);
        }

        Setup.Main.Queue.Requests = 1000;
        await ReloadAsync(4);
        Setup.Main.Queue.Requests = 6;
        await ReloadAsync(5);
        List<string> said = [.. App.Logs.Entries.Where(e => e.Text.Contains("is not used: without Concurrent", StringComparison.Ordinal)).Select(e => e.Text)];
        Assert.That(said, Has.Count.EqualTo(2), "at the start, and when it was there again");
        Assert.That(said, Has.None.Contains("warn "), "the log says itself how grave it is");
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task A_stream_ends_on_the_upstream_it_began_with_and_then_that_connection_is_closed()
    {
        ScriptedUpstream next = NewUpstream();
        var gate = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.EventsAsync(Chat.Role(), Chat.Delta("Hello"));
            await exchange.PauseAsync(gate.Task);
            await exchange.EventsAsync(Chat.Delta(" there"), Chat.Finish(), "[DONE]");
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        RawResponse stream = await (await SendJsonAsync(Chat.Request(stream: true))).ReadHeadAsync();
        await stream.ReadUntilAsync("Hello");

        Setup.Main.Url = next.Url;
        await ReloadAsync(2);
        RawResponse other = await PostAsync(Chat.Request());
        Assert.That(Upstream.OpenConnections, Is.EqualTo(1), "the stream's");
        gate.SetResult();
        await stream.ReadToEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(stream.Text, Does.EndWith(Sse.Done));
            Assert.That(stream.Headers[Generation], Is.EqualTo("1"));
            Assert.That(other.Headers[Generation], Is.EqualTo("2"));
            Assert.That(next.Requests, Has.Count.EqualTo(1));
        }

        await Deadline.Until(() => Upstream.OpenConnections == 0, what: "the old connection is closed with its last stream");
    }

    [Test]
    public async Task A_model_that_is_taken_away_is_gone_for_the_next_request_and_the_log_says_whose_it_was()
    {
        InProcessOnly("it looks into the log");
        var gate = new TaskCompletionSource();
        Upstream.Next(Replies.StreamThen([Chat.Role(), Chat.Delta("Hello")], async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await exchange.EventsAsync(Chat.Finish(), "[DONE]");
            await exchange.LastChunkAsync();
        }));
        await StartAsync();
        RawResponse stream = await (await SendJsonAsync(Chat.Request(stream: true))).ReadHeadAsync();
        await stream.ReadUntilAsync("Hello");
        Setup.Options.Models.Remove("gpt-4o-mini");
        await ReloadAsync(2);
        RawResponse refused = await PostAsync(Chat.Request());
        gate.SetResult();
        await stream.ReadToEndAsync();
        using (Assert.EnterMultipleScope())
        {
            Assert.That(refused.Status, Is.EqualTo(404));
            Assert.That(stream.Text, Does.EndWith(Sse.Done));
            Assert.That(Proxy.LogLines, Has.Some.Contains("takes access away: gpt-4o-mini: key other, key tester would get 404"));
        }
    }

    [Test]
    public async Task An_added_upstream_has_our_handler_and_an_unchanged_one_keeps_its_connection()
    {
        ScriptedUpstream added = NewUpstream();
        added.Otherwise(Replies.Empty(307, ("Location", Upstream.Url + "/elsewhere")));
        await StartAsync();
        await PostAsync(Chat.Request());
        Setup.Options.Upstreams["added"] = ProxySetup.Upstream(added.Url);
        Setup.Options.Models["new"] = ProxySetup.Model("added", "m");
        await ReloadAsync(2);
        RawResponse redirected = await PostAsync(Chat.Request(model: "new"));
        await PostAsync(Chat.Request());
        using (Assert.EnterMultipleScope())
        {
            Assert.That(redirected.Status, Is.EqualTo(502), "a default handler would have followed");
            Assert.That((string?)redirected.Json["error"]!["code"], Is.EqualTo("upstream_redirect"));
            Assert.That(Upstream.ConnectionCount, Is.EqualTo(1));
        }
    }

    [Test]
    public async Task An_app_s_handler_stays_in_the_pipeline_of_an_upstream_that_has_changed()
    {
        InProcessOnly("it adds a handler in code");
        Setup.Services = services =>
        {
            services.AddTransient<SignIn>();
            services.ConfigureUpstreamHttpClient("main", http => http.AddHttpMessageHandler<SignIn>());
        };
        await StartAsync();
        await PostAsync(Chat.Request());
        Setup.Main.Headers["x-changed"] = "yes";
        await ReloadAsync(2);
        await PostAsync(Chat.Request());
        Assert.That(Upstream.Requests.Select(r => r.Headers["x-signed-in"]), Is.EqualTo(new[] { "yes", "yes" }));
        Assert.That(Upstream.Requests[1].Headers["x-changed"], Is.EqualTo("yes"));
        Assert.That(Upstream.ConnectionCount, Is.EqualTo(2), "another pipeline");
    }

    [Test]
    [Category("P03")]
    public async Task A_file_that_cannot_be_used_changes_nothing_and_is_told_once_and_a_good_one_clears_it()
    {
        InProcessOnly("it looks at the log and at what the service says");
        AllowErrorLogs("a configuration that cannot be used is one");
        await StartAsync();
        using var failures = new MetricCollector<long>(App.Services.GetRequiredService<IMeterFactory>(), LlmProxyTelemetry.MeterName, "llmproxy.config.reload_failures");
        string good = await File.ReadAllTextAsync(Proxy.ConfigurationPath);
        string bad = good.Replace("\"Models\"", "\"Modells\"", StringComparison.Ordinal);
        await File.WriteAllTextAsync(Proxy.ConfigurationPath, bad);
        await Deadline.Until(() => App.Reload.LastError is not null);
        LlmProxyReloadError error = App.Reload.LastError!;
        RawResponse served = await PostAsync(Chat.Request());
        for (int i = 0; i < 3; i++)
        {
            await File.WriteAllTextAsync(Proxy.ConfigurationPath, bad);
            await Task.Delay(ReloadWatch.Period + ReloadWatch.Period);
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Problems.Select(p => p.ToString()), Has.Some.StartsWith("error  line 1  Modells: unknown member"));
            Assert.That(served.Headers[Generation], Is.EqualTo("1"));
            Assert.That(Proxy.ErrorLines.Count(line => line.Contains("cannot be used", StringComparison.Ordinal)), Is.EqualTo(1), "once, however often it is touched");
            failures.RecordObservableInstruments();
            Assert.That(failures.LastMeasurement?.Value, Is.EqualTo(1));
        }

        await File.WriteAllTextAsync(Proxy.ConfigurationPath, good);
        await Deadline.Until(() => App.Reload.LastError is null);
        Assert.That(App.Reload.Generation, Is.EqualTo(1), "it is what it was");
    }

    private async Task<List<string>> LoadAsync(CancellationToken over)
    {
        var seen = new List<string>();
        HttpClient client = NewHttpClient();
        while (!over.IsCancellationRequested)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, ChatPath)
            {
                Content = new StringContent(Chat.Request(stream: true), System.Text.Encoding.UTF8, "application/json"),
                Headers = { { "Authorization", "Bearer " + Canary.ClientKey } },
            };
            using HttpResponseMessage response = await client.SendAsync(request, CancellationToken.None);
            string text = await response.Content.ReadAsStringAsync(CancellationToken.None);
            Assert.That(text, Does.EndWith(Sse.Done));
            string marks = Sse.Data(text).Where(data => data.Contains("content", StringComparison.Ordinal))
                .Select(data => (string)System.Text.Json.Nodes.JsonNode.Parse(data)!["choices"]![0]!["delta"]!["content"]!).First(word => word.Length > 0);
            seen.Add($"{response.Headers.GetValues(Generation).Single()} {marks}");
        }

        return seen;
    }

    /// <summary>The generation as the header says it counts from 1, the marks from 0.</summary>
    private static bool IsOneGeneration(string seen)
    {
        int[] numbers = [.. seen.Split(' ').Select(part => int.Parse(part, CultureInfo.InvariantCulture))];
        return numbers is [var header, var upstream, var model] && header == upstream + 1 && upstream == model;
    }

    private void Mark(int number)
    {
        Setup.Main.Headers["x-of-upstream"] = number.ToString(CultureInfo.InvariantCulture);
        Setup.Mini.Headers["x-of-model"] = number.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Writes the options as they are now in the file's place, and waits for them to be in force.</summary>
    private sealed class SignIn : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.TryAddWithoutValidation("x-signed-in", "yes");
            return base.SendAsync(request, cancellationToken);
        }
    }
}
