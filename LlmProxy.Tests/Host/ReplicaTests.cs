using System.Collections.Concurrent;
using System.Net;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Authentication;
using LlmProxy.Host.Stores;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>Three executables over one real PostgreSQL: what they let in together, and what is left of it while the server goes and comes.</summary>
internal sealed class ReplicaTests : HostTest
{
    private const int Replicas = 3;
    private const int Limit = 50;
    private const int Rounds = 10;
    private const decimal Price = 0.01m;
    private const string Ask = """{"model":"small","stream":true,"messages":[{"role":"user","content":"hello"}]}""";

    /// <summary>What one of them may hold ready and not need: an eighth and one, as a bound that is written down.</summary>
    private const int HeldReady = Replicas * ((Limit / 8) + 1);

    private PostgresServer _server = null!;
    private PostgresDatabase _database = null!;
    private ScriptedUpstream _upstream = null!;
    private HttpClient[] _clients = [];

    [SetUp]
    public async Task StartUpstreamAsync()
    {
        _server = await PostgresServer.StartNewAsync();
        var connection = await _server.CreateDatabaseAsync();
        await WriteAsync("connection", connection);
        _database = new PostgresDatabase(connection);
        _upstream = new ScriptedUpstream();
        _upstream.Otherwise(Replies.LikeOpenAI);
    }

    [TearDown]
    public async Task StopUpstreamAsync()
    {
        Array.ForEach(_clients, static client => client.Dispose());
        await (_upstream?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (_database?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (_server?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    [Test]
    [Category("L10")]
    public async Task L10_of_200_at_once_on_three_processes_a_budget_lets_50_in()
    {
        await StartAsync($"\"Budget\": {{ \"Total\": {Limit * Price} }}");
        for (var round = 0; round < Rounds; round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => AskAsync(i % Replicas, round)));
            var first = answers.Count(static status => status == HttpStatusCode.OK);
            Assert.That(answers, Is.All.AnyOf(HttpStatusCode.OK, HttpStatusCode.TooManyRequests));
            Assert.That(first, Is.LessThanOrEqualTo(Limit));

            // Some may have had to wait too long for a share, and what the others held ready and did not need comes back: all of it is
            // spent in the end, and never more. Asked of one alone: while all are asked, a rest smaller than a request may stay divided.
            var accepted = first;
            using var late = Deadline.Source();
            while (accepted < Limit && !late.IsCancellationRequested)
            {
                accepted += await AskAsync(0, round) == HttpStatusCode.OK ? 1 : 0;
            }

            for (var i = 0; i < 12; i++)
            {
                accepted += await AskAsync(i % Replicas, round) == HttpStatusCode.OK ? 1 : 0;
            }

            Assert.That(accepted, Is.EqualTo(Limit));
            await TestContext.Out.WriteLineAsync($"of 200 at once {first}, of all {accepted}");
        }

        await WrittenAsync(Rounds * Limit);
        var spent = await new PostgresLedgerStore(_database).ReadSpendAsync(["total"], default);
        Assert.That(spent.Where(static one => one.Meter.StartsWith("key/", StringComparison.Ordinal)).Select(static one => one.Cost), Is.EqualTo(Enumerable.Repeat(Limit * Price, Rounds)));
    }

    [Test]
    [Category("L10")]
    public async Task L10_of_200_at_once_on_three_processes_never_more_than_50_run_at_once()
    {
        await StartAsync($"\"Concurrent\": {Limit}");
        for (var round = 0; round < Rounds; round++)
        {
            var (gate, running, most) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), 0, 0);
            _upstream.Otherwise(async exchange =>
            {
                var now = Interlocked.Increment(ref running);
                InterlockedMax(ref most, now);
                await exchange.PauseAsync(gate.Task);
                await Replies.LikeOpenAI(exchange);
                Interlocked.Decrement(ref running);
            });
            // As clients do: who is refused comes again.
            var asked = Enumerable.Range(0, 200).Select(async i =>
            {
                HttpStatusCode status;
                while ((status = await AskAsync(i % Replicas, round)) == HttpStatusCode.TooManyRequests && !gate.Task.IsCompleted)
                {
                    await Task.Delay(20);
                }

                return status;
            }).ToArray();
            await Deadline.Until(() => Volatile.Read(ref running) >= Limit - HeldReady, what: "as many to run as may, but for what is held ready");
            gate.SetResult();
            var answers = await Task.WhenAll(asked);
            Assert.That(answers, Is.All.AnyOf(HttpStatusCode.OK, HttpStatusCode.TooManyRequests));
            Assert.That(most, Is.InRange(Limit - HeldReady, Limit));
        }
    }

    [Test]
    [Category("P09")]
    public async Task P09_PostgreSQL_goes_and_comes_under_load_and_no_request_fails_and_no_row_is_lost()
    {
        // Keys without shared limits: with them a replica that is cut off lives on what it holds, and then refuses.
        await StartAsync("");
        var (whole, failures) = (new ConcurrentBag<string>(), new ConcurrentBag<string>());
        using var enough = new CancellationTokenSource();
        var load = Enumerable.Range(0, 6).Select(i => Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                using var answer = await SendAsync(i % Replicas, i);
                var text = await answer.Content.ReadAsStringAsync();
                if (answer.StatusCode == HttpStatusCode.OK && text.EndsWith("data: [DONE]\n\n", StringComparison.Ordinal))
                {
                    whole.Add(answer.Headers.GetValues("x-request-id").Single());
                }
                else
                {
                    failures.Add($"{(int)answer.StatusCode} {text}");
                }
            }
        })).ToArray();
        for (var outage = 0; outage < 2; outage++)
        {
            await MoreAsync(whole, 200);
            await _server.StopAsync();
            await MoreAsync(whole, 1000);
            await _server.StartAsync();
        }

        await MoreAsync(whole, 200);
        await enough.CancelAsync();
        await Task.WhenAll(load);
        Assert.That(failures, Is.Empty);
        await WrittenAsync(whole.Count);
        var rows = new List<string>();
        await foreach (var row in new PostgresLedgerStore(_database).ReadAsync(new UsageQuery(), default))
        {
            rows.Add(row.Id);
        }

        await TestContext.Out.WriteLineAsync($"{whole.Count} answers, {rows.Count} rows");
        Assert.That(rows, Is.EquivalentTo(whole));
    }

    private static Task MoreAsync(ConcurrentBag<string> whole, int more)
    {
        var wanted = whole.Count + more;
        return Deadline.Until(() => whole.Count >= wanted, TimeSpan.FromSeconds(60), $"{more} more answers");
    }

    private static void InterlockedMax(ref int most, int now)
    {
        for (var seen = Volatile.Read(ref most); now > seen; seen = Volatile.Read(ref most))
        {
            Interlocked.CompareExchange(ref most, now, seen);
        }
    }

    private static string Key(int round) => $"sk-a-key-of-round-{round:D2}-0123456789";

    /// <summary>Three, each with a data folder of its own; as many keys as rounds, each with these limits.</summary>
    private async Task StartAsync(string limits)
    {
        var keys = Enumerable.Range(0, Rounds).Select(round => $"\"key-{round}\": {{ \"Hash\": \"{ApiKeys.Hash(Key(round))}\", {limits} }}");
        await WriteAsync("llmproxy.json", $$"""
            {
              "Store": { "Kind": "PostgreSQL", "ConnectionString": "${file:{{Path.Combine(Folder, "connection")}}}" },
              "Upstreams": { "tiny": { "Url": "{{_upstream.Url}}" } },
              "Models": { "small": "tiny/tiny-1" },
              "Prices": { "tiny/*": { "Input": 0, "Output": 0, "Request": {{Price}} } },
              "Keys": { {{string.Join(", ", keys)}} }
            }
            """);
        var hosts = await Task.WhenAll(Enumerable.Range(0, Replicas).Select(i =>
            Start(Variables(("LLMPROXY_DATA", Path.Combine(Folder, $"data-{i}"))), "--urls", "http://127.0.0.1:0").StartedAsync()));
        _clients = [.. hosts.Select(static host => new HttpClient { BaseAddress = new Uri(host.Address) })];
        foreach (var client in _clients)
        {
            using var late = Deadline.Source();
            while (!(await client.GetAsync("/readyz", late.Token)).IsSuccessStatusCode)
            {
                await Task.Delay(20, late.Token);
            }
        }
    }

    private async Task<HttpStatusCode> AskAsync(int replica, int round)
    {
        using var answer = await SendAsync(replica, round);
        await answer.Content.ReadAsStringAsync();
        return answer.StatusCode;
    }

    private async Task<HttpResponseMessage> SendAsync(int replica, int round)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent(Ask, System.Text.Encoding.UTF8, "application/json"),
            Headers = { Authorization = new("Bearer", Key(round)) },
        };
        return await _clients[replica].SendAsync(request);
    }

    private Task WrittenAsync(int rows)
    {
        var ledger = new PostgresLedgerStore(_database);
        return Deadline.Until(() => ledger.SumAsync(new UsageQuery(), default).AsTask().Result.Sum(static total => total.Requests) >= rows, what: $"{rows} rows in the ledger");
    }
}
