using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json;
using LlmProxy.Core.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>The executable, killed under load again and again: every answer that a client saw whole is in the ledger, once.</summary>
[Category("P21")]
internal sealed class KilledProxyTests : HostTest
{
    private const string ClientKey = "sk-a-key-of-a-client-0123456789";
    private const int Rounds = 20;
    private const int Clients = 12;

    private readonly ConcurrentDictionary<string, int> _whole = new();
    private int _asked;

    [Test]
    public async Task P21_what_clients_saw_whole_is_in_the_ledger_once_however_often_the_proxy_is_killed()
    {
        await using WebApplication upstream = await StartUpstreamAsync();
        string address = upstream.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        await WriteAsync("llmproxy.json", $$"""
            {
              "Upstreams": { "up": { "Url": "{{address}}/v1", "Proxy": "None" } },
              "Models": { "m": "up/m" },
              "Prices": { "up/*": { "Input": 1000, "Output": 1000 } },
              "Keys": { "anna": { "Hash": "{{ApiKeys.Hash(ClientKey)}}" } }
            }
            """);
        for (int round = 0; round < Rounds; round++)
        {
            HostProcess proxy = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
            int before = _whole.Count;
            using HttpClient client = proxy.Client(ClientKey);
            using var enough = new CancellationTokenSource();
            Task[] load = [.. Enumerable.Range(0, Clients).Select(i => AskOnAsync(client, stream: i % 3 != 0, enough.Token))];
            int wanted = before + 20 + Random.Shared.Next(100);
            await Support.Deadline.Until(() => _whole.Count >= wanted, TimeSpan.FromSeconds(60));
            await proxy.SignalAsync("KILL");
            await enough.CancelAsync();
            await Task.WhenAll(load);
            await proxy.ExitedAsync();
        }

        HostProcess last = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        await Support.Deadline.TryUntil(() => !_whole.Keys.Except(Rows().Keys).Any(), TimeSpan.FromSeconds(30));
        await last.StoppedAsync();

        Dictionary<string, (long? Output, string Source, long? Cost)> rows = Rows();
        await TestContext.Out.WriteLineAsync($"{_whole.Count} whole answers, {rows.Count} rows, {_asked} requests at the upstream");
        string[] missing = [.. _whole.Keys.Except(rows.Keys)];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(missing, Is.Empty, "seen whole by a client and not in the ledger");
            Assert.That(rows, Has.Count.LessThanOrEqualTo(_asked), "no more rows than the upstream was asked");
            Assert.That(_whole.Where(one => rows.TryGetValue(one.Key, out var row) && (row.Output, row.Source) != (one.Value, "upstream")), Is.Empty, "another usage than the upstream told");
            Assert.That(
                _whole.Keys.Intersect(rows.Keys).Sum(id => rows[id].Cost),
                Is.EqualTo(_whole.Values.Sum(output => (10 + output) * 10_000_000L)), "in ten-billionths of a dollar, as that store keeps them");
            Assert.That(Spend(), Is.EqualTo(rows.Values.Sum(row => row.Cost ?? 0)), "what the key has spent is the sum of its rows");
        }
    }

    private async Task AskOnAsync(HttpClient client, bool stream, CancellationToken enough)
    {
        while (!enough.IsCancellationRequested)
        {
            try
            {
                string body = $"{{\"model\":\"m\",\"stream\":{(stream ? "true" : "false")},\"messages\":[{{\"role\":\"user\",\"content\":\"hello\"}}]}}";
                using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
                using HttpResponseMessage response = await client.PostAsync("/v1/chat/completions", content, CancellationToken.None);
                string text = await response.Content.ReadAsStringAsync(CancellationToken.None);
                if (response.StatusCode == HttpStatusCode.OK && (!stream || text.EndsWith("data: [DONE]\n\n", StringComparison.Ordinal)))
                {
                    int output = int.Parse(text.Split("out-")[1].Split('-')[0], CultureInfo.InvariantCulture);
                    _whole[response.Headers.GetValues("x-request-id").Single()] = output;
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                // The proxy has been killed: what came of it is not whole.
                await Task.Delay(5, CancellationToken.None);
            }
        }
    }

    private Dictionary<string, (long? Output, string Source, long? Cost)> Rows()
    {
        var rows = new Dictionary<string, (long? Output, string Source, long? Cost)>();
        using SqliteConnection connection = Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT id, output_tokens, usage_source, cost FROM llmproxy_requests";
        using SqliteDataReader reader = command.ExecuteReader();
        while (reader.Read())
        {
            rows.Add(reader.GetString(0), (reader.IsDBNull(1) ? null : reader.GetInt64(1), reader.GetString(2), reader.IsDBNull(3) ? null : reader.GetInt64(3)));
        }

        return rows;
    }

    private long Spend()
    {
        using SqliteConnection connection = Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT cost FROM llmproxy_spend WHERE meter = 'key/anna' AND period = 'total'";
        return (long)command.ExecuteScalar()!;
    }

    private SqliteConnection Open()
    {
        var connection = new SqliteConnection($"Data Source={Path.Combine(Folder, ".data", "llmproxy.db")};Pooling=False;Default Timeout=30");
        connection.Open();
        return connection;
    }

    private async Task<WebApplication> StartUpstreamAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        WebApplication app = builder.Build();
        app.Run(AnswerAsync);
        await app.StartAsync();
        return app;
    }

    /// <summary>Says in its answer what it will say of its usage.</summary>
    private async Task AnswerAsync(HttpContext http)
    {
        int output = 1 + (Interlocked.Increment(ref _asked) % 977);
        using JsonDocument request = await JsonDocument.ParseAsync(http.Request.Body);
        string usage = $"\"usage\":{{\"prompt_tokens\":10,\"completion_tokens\":{output}}}";
        if (!request.RootElement.GetProperty("stream").GetBoolean())
        {
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync($"{{\"id\":\"c\",\"object\":\"chat.completion\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"out-{output}-\"}},\"finish_reason\":\"stop\"}}],{usage}}}");
            return;
        }

        http.Response.ContentType = "text/event-stream";
        await http.Response.WriteAsync($"data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"out-{output}-\"}},\"finish_reason\":null}}]}}\n\n");
        await http.Response.Body.FlushAsync();
        await http.Response.WriteAsync("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
        await http.Response.WriteAsync($"data: {{\"choices\":[],{usage}}}\n\ndata: [DONE]\n\n");
    }
}
