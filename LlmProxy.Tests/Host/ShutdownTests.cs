using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>How the executable ends: it loses no answer, and says so where it has to (P17 to P19).</summary>
internal sealed class ShutdownTests : HostTest
{
    private const string Key = "sk-a-key-of-a-client-0123456789";

    private ScriptedUpstream _upstream = null!;
    private TaskCompletionSource _gate = null!;

    [SetUp]
    public void StartUpstream()
    {
        _gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _upstream = new ScriptedUpstream();
        _upstream.Otherwise(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.EventsAsync(Chat.Role(), Chat.Delta("first"));
            await exchange.PauseAsync(_gate.Task);
            await exchange.EventsAsync(Chat.Delta("second"), Chat.Finish(), "[DONE]");
            await exchange.LastChunkAsync();
        });
    }

    [TearDown]
    public async Task StopUpstreamAsync() => await _upstream.DisposeAsync();

    [Test]
    public async Task P17_idle_it_exits_within_a_second()
    {
        var best = TimeSpan.MaxValue;
        for (var tries = 0; tries < 5 && best > TimeSpan.FromSeconds(1); tries++)
        {
            var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
            using var client = host.Client();
            await client.GetStringAsync("/v1/models");
            await using var silent = await host.ConnectAsync();
            var began = Stopwatch.GetTimestamp();
            Assert.That(await host.StoppedAsync(), Is.Zero);
            var took = Stopwatch.GetElapsedTime(began);
            best = took < best ? took : best;
        }

        Assert.That(best, Is.LessThan(TimeSpan.FromSeconds(1)), "with idle connections open; a busy machine gets several tries");
    }

    [Test]
    public async Task P18_streams_come_to_their_end_while_readiness_says_no_and_new_requests_are_refused()
    {
        var host = await StartAsync("""{ "Deadline": "10m" }""");
        await using var client = await StreamAsync(host);
        var stream = await FirstAsync(client);
        using var http = host.Client(Key);
        await host.SignalAsync("HUP");
        Assert.That((await ReadyAsync(http)).Status, Is.EqualTo(HttpStatusCode.OK), "SIGHUP changes nothing");

        await host.SignalAsync("TERM");
        await host.SaysAsync("Stopping, requests in flight: 1. What still runs in 600 s");
        var (status, ready) = await ReadyAsync(http);
        using var refused = await PostAsync(http, "/v1/chat/completions", Chat.Request(stream: true, model: "small"));
        Assert.Multiple(() =>
        {
            Assert.That(status, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
            Assert.That(ready["status"]!.GetValue<string>(), Is.EqualTo("stopping"));
            Assert.That(ready["in_flight"]!.GetValue<long>(), Is.EqualTo(1));
            Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
            Assert.That(refused.Headers.ConnectionClose, Is.True);
            Assert.That(refused.Headers.RetryAfter, Is.Not.Null);
        });
        await host.SaysAsync(@"Stopping, requests in flight: 1\.$");

        _gate.SetResult();
        await stream.ReadToEndAsync();
        Assert.That(await host.ExitedAsync(), Is.Zero);
        Assert.Multiple(() =>
        {
            Assert.That(stream.End, Is.EqualTo(BodyEnd.Whole));
            Assert.That(stream.Text, Does.EndWith("data: [DONE]\n\n"));
            Assert.That(Ends(host), Is.EquivalentTo(new[] { "ok", "server_shutting_down" }));
        });
    }

    [TestCase(null)]
    [TestCase("TERM")]
    [TestCase("INT")]
    public async Task P19_what_still_runs_at_the_deadline_or_a_second_signal_ends_visibly_broken(string? second)
    {
        // A shell has what it starts in the background ignore it, and whatever that starts.
        if (second == "INT" && HostProcess.IgnoresInterrupts())
        {
            Assert.Ignore("These tests were started by something that has them ignore SIGINT.");
        }

        var host = await StartAsync(second is not null ? """{ "Pause": "1m", "Deadline": "10m" }""" : """{ "Deadline": "1s" }""");
        var clients = new List<RawClient>();
        var streams = new List<RawResponse>();
        for (var i = 0; i < 3; i++)
        {
            clients.Add(await StreamAsync(host));
            streams.Add(await FirstAsync(clients[i]));
        }

        var began = Stopwatch.GetTimestamp();
        await host.SignalAsync("TERM");
        if (second is not null)
        {
            await host.SaysAsync("Stopping, requests in flight: 3");
            await host.SignalAsync(second);
        }

        Assert.That(await host.ExitedAsync(), Is.Zero);
        var took = Stopwatch.GetElapsedTime(began);
        foreach (var stream in streams)
        {
            Contract.AssertBroken(await stream.ReadToEndAsync(), "server_shutting_down");
        }

        Assert.Multiple(() =>
        {
            Assert.That(took, Is.LessThan(TimeSpan.FromSeconds(10)), "3 s, but for a busy machine");
            Assert.That(Ends(host), Is.EqualTo(Enumerable.Repeat("server_shutting_down", 3)));
            Assert.That(host.People, Does.Contain("Ending all requests in flight, 3: " + (second is not null ? "a second signal came" : "the deadline has passed")));
        });
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }

    [Test]
    public async Task P19_a_request_that_has_no_answer_yet_gets_503()
    {
        _upstream.Next(exchange => exchange.StallAsync());
        var host = await StartAsync("""{ "Deadline": "0s" }""");
        await using var client = await StreamAsync(host);
        await _upstream.WaitForAsync();
        await host.SignalAsync("TERM");
        Contract.AssertError(await client.ReadAsync(), 503, "server_shutting_down");
        Assert.That(await host.ExitedAsync(), Is.Zero);
        Assert.That(Ends(host), Is.EqualTo(new[] { "server_shutting_down" }));
    }

    [Test]
    public async Task P18_a_rolling_restart_behind_a_balancer_that_looks_at_readiness_loses_no_request()
    {
        _gate.SetResult();
        var old = await StartAsync("""{ "Pause": "3s" }""");
        using var next = (await StartAsync("""{ "Pause": "3s" }""")).Client(Key);
        using var first = old.Client(Key);
        using var looker = old.Client(Key);
        var current = first;
        var answers = 0;
        using var over = new CancellationTokenSource();

        async Task AskAsync()
        {
            while (!over.IsCancellationRequested)
            {
                using var response = await PostAsync(Volatile.Read(ref current), "/v1/chat/completions", Chat.Request(stream: true, model: "small"));
                var text = await response.Content.ReadAsStringAsync();
                Assert.That(text, Does.EndWith("data: [DONE]\n\n"), response.StatusCode.ToString());
                Interlocked.Increment(ref answers);
            }
        }

        var asking = Task.WhenAll(AskAsync(), AskAsync(), AskAsync());
        await Deadline.Until(() => Volatile.Read(ref answers) > 20 || asking.IsCompleted);
        await old.SignalAsync("TERM");
        while ((await ReadyAsync(looker)).Status == HttpStatusCode.OK)
        {
            await Task.Delay(20);
        }

        var before = Volatile.Read(ref answers);
        await Deadline.Until(() => Volatile.Read(ref answers) > before + 10 || asking.IsCompleted, what: "answers within the pause");
        Volatile.Write(ref current, next);
        Assert.That(await old.ExitedAsync(), Is.Zero);
        before = Volatile.Read(ref answers);
        await Deadline.Until(() => Volatile.Read(ref answers) > before + 10 || asking.IsCompleted);
        await over.CancelAsync();
        await asking;
        Assert.That(Ends(old), Is.All.EqualTo("ok"));
    }

    private async Task<HostProcess> StartAsync(string shutdown)
    {
        await WriteAsync("llmproxy.json", Configuration(_upstream.Url.ToString(), Key, $"\"Shutdown\": {shutdown},"));
        return await Start("--urls", "http://127.0.0.1:0").StartedAsync();
    }

    private static async Task<RawClient> StreamAsync(HostProcess host)
    {
        var client = await host.ConnectAsync();
        var body = Encoding.UTF8.GetBytes(Chat.Request(stream: true, model: "small"));
        await client.SendAsync(RawClient.Request("POST", "/v1/chat/completions", body, "Authorization: Bearer " + Key, "Content-Type: application/json"));
        return client;
    }

    private static async Task<RawResponse> FirstAsync(RawClient client) => await (await client.ReadHeadAsync()).ReadUntilAsync("first");

    private static async Task<(HttpStatusCode Status, JsonObject Body)> ReadyAsync(HttpClient client)
    {
        using var response = await client.GetAsync("/readyz");
        return (response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject());
    }

    /// <summary>How each request ended, by its record on standard output.</summary>
    private static string[] Ends(HostProcess host) =>
        [.. host.Results.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!["end"]!.GetValue<string>())];
}
