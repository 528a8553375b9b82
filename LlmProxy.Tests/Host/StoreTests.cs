using System.Net;
using System.Text.Json;
using LlmProxy.Core.Accounting;
using LlmProxy.Host.Stores;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>What the executable keeps, and where.</summary>
internal sealed class StoreTests : HostTest
{
    private const string Key = "sk-a-key-of-a-client-0123456789";
    private const string Chat = """{"model":"small","stream":true,"messages":[{"role":"user","content":"hello"}]}""";

    private TinyUpstream _upstream = null!;

    private string Data => Path.Combine(Folder, ".data");

    private string Database => Path.Combine(Data, "llmproxy.db");

    [SetUp]
    public async Task StartUpstreamAsync() => _upstream = await TinyUpstream.StartAsync();

    [TearDown]
    public async Task StopUpstreamAsync() => await _upstream.DisposeAsync();

    [Test]
    public async Task By_default_usage_is_kept_in_a_database_in_the_data_directory_that_nobody_else_can_look_into()
    {
        var host = await StartConfiguredAsync("");
        await ServedAsync(host, 3);
        Assert.That(await StoreAsync(host), Is.EqualTo("SQLite ok"));
        Assert.That(await host.StoppedAsync(), Is.Zero);
        Assert.That((await RowsAsync()).Select(static row => (row.KeyName, row.Model, row.End)), Is.EqualTo(Enumerable.Repeat(("anna", "small", "ok"), 3)));
        if (!OperatingSystem.IsWindows())
        {
            Assert.That(File.GetUnixFileMode(Data), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
            Assert.That(File.GetUnixFileMode(Database), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        }
    }

    [Test]
    public async Task P21_After_a_kill_every_answer_is_there_once_and_the_file_is_looked_at_in_the_background()
    {
        var host = await StartConfiguredAsync("");
        await ServedAsync(host, 20);
        await host.SignalAsync("KILL");
        await host.ExitedAsync();
        var next = await StartConfiguredAsync("");
        await next.SaysAsync("The database was checked after an unclean stop, in .*: it is whole.");
        await ServedAsync(next, 1);
        Assert.That(await next.StoppedAsync(), Is.Zero);
        Assert.That(await RowsAsync(), Has.Count.EqualTo(21));
        var last = await StartConfiguredAsync("");
        await last.StoppedAsync();
        Assert.That(last.People, Does.Not.Contain("unclean"));
    }

    [Test]
    public async Task P23_Two_instances_on_one_directory_serve_and_lose_nothing()
    {
        var hosts = new[] { await StartConfiguredAsync(""), await StartConfiguredAsync("") };
        await Task.WhenAll(hosts.Select(static host => ServedAsync(host, 20)));
        await Task.WhenAll(hosts.Select(static host => host.StoppedAsync()));
        Assert.That(await RowsAsync(), Has.Count.EqualTo(40));
    }

    [TestCase("")]
    [TestCase("\"Store\": \"SQLite\",")]
    public async Task P12_A_damaged_database_is_refused_and_never_replaced_by_an_empty_one(string store)
    {
        Directory.CreateDirectory(Data);
        await File.WriteAllTextAsync(Database, new string('x', 4096));
        await WriteAsync("llmproxy.json", Configuration(_upstream.Url, Key, store));
        var (code, _, people) = await RunAsync(null, "--urls", "http://127.0.0.1:0");
        Assert.That((code, people), Is.EqualTo((1, people)));
        Assert.That(people, Does.Contain("(error 26). It was left as it is."));
        Assert.That(await File.ReadAllTextAsync(Database), Is.EqualTo(new string('x', 4096)));
    }

    [Test]
    public async Task Where_nothing_can_be_kept_the_default_is_done_without_and_what_was_configured_is_refused()
    {
        var nowhere = Variables(("LLMPROXY_DATA", "/proc/llmproxy"));
        await WriteAsync("llmproxy.json", Configuration(_upstream.Url, Key));
        var host = await Start(nowhere, "--urls", "http://127.0.0.1:0").StartedAsync();
        Assert.That(host.People, Does.Contain("warn   Nothing is kept beyond this run, neither keys nor usage: Nothing can be kept in /proc/llmproxy"));
        await ServedAsync(host, 1);
        Assert.That(await StoreAsync(host), Is.EqualTo("None ok"));
        await WriteAsync("llmproxy.json", Configuration(_upstream.Url, Key, "\"Store\": \"SQLite\","));
        var (code, _, people) = await RunAsync(nowhere, "--urls", "http://127.0.0.1:0");
        Assert.That((code, people), Is.EqualTo((1, people)));
        Assert.That(people, Does.StartWith("llmproxy: Nothing can be kept in /proc/llmproxy"));
    }

    [Test]
    public async Task With_none_nothing_is_written()
    {
        var host = await StartConfiguredAsync("\"Store\": \"None\",");
        await ServedAsync(host, 1);
        Assert.That(await StoreAsync(host), Is.EqualTo("None ok"));
        await host.StoppedAsync();
        Assert.That(Directory.Exists(Data) ? Directory.GetFileSystemEntries(Data) : [], Is.Empty);
    }

    [Test]
    public async Task What_the_demo_keeps_mixes_with_nothing_and_ends_with_it()
    {
        var temporary = Path.Combine(Folder, "tmp");
        Directory.CreateDirectory(temporary);
        var host = await Start(Variables(("TMPDIR", temporary)), "--urls", "http://127.0.0.1:0").StartedAsync();
        Assert.That(Directory.GetFiles(temporary, "llmproxy.db", SearchOption.AllDirectories), Has.Length.EqualTo(1));
        Assert.That(File.Exists(Database), Is.False);
        Assert.That(await StoreAsync(host), Is.EqualTo("SQLite ok"));
        await host.StoppedAsync();
        Assert.That(Directory.GetFileSystemEntries(temporary), Is.Empty);
    }

    [Test]
    public async Task P09_An_instance_that_starts_before_PostgreSQL_is_ready_once_it_is_there_and_then_serves_without_it()
    {
        await using var server = await PostgresServer.StartNewAsync();
        var connection = await server.CreateDatabaseAsync();
        await WriteAsync("connection", connection);
        var store = $"\"Store\": {{ \"Kind\": \"PostgreSQL\", \"ConnectionString\": \"${{file:{Path.Combine(Folder, "connection")}}}\" }},";
        await server.StopAsync();
        var host = await StartConfiguredAsync(store);
        Assert.That(host.People, Does.Contain("warn   PostgreSQL cannot be reached now"));
        using var client = host.Client(Key);
        Assert.That((await client.GetAsync("/readyz")).StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
        await ServedAsync(host, 3);
        await server.StartAsync();
        await ReadyAsync(client);
        await server.StopAsync();
        await ServedAsync(host, 3);
        Assert.That((await client.GetAsync("/readyz")).StatusCode, Is.EqualTo(HttpStatusCode.OK), "its keys are known");
        await server.StartAsync();
        await ServedAsync(host, 1);
        await using var database = new PostgresDatabase(connection);
        var ledger = new PostgresLedgerStore(database);
        await Deadline.Until(() => ledger.SumAsync(new UsageQuery(), default).AsTask().Result.Single().Requests == 7);
        Assert.That(await host.StoppedAsync(), Is.Zero);
        Assert.That(host.People, Does.Not.Contain("pg-5ecret"));
    }

    private async Task<HostProcess> StartConfiguredAsync(string store)
    {
        await WriteAsync("llmproxy.json", Configuration(_upstream.Url, Key, store));
        return await Start("--urls", "http://127.0.0.1:0").StartedAsync();
    }

    private static async Task ServedAsync(HostProcess host, int requests)
    {
        using var client = host.Client(Key);
        for (var i = 0; i < requests; i++)
        {
            using var response = await PostAsync(client, "/v1/chat/completions", Chat);
            Assert.That(await response.Content.ReadAsStringAsync(), Does.EndWith("data: [DONE]\n\n"));
        }
    }

    private static async Task<string> StoreAsync(HostProcess host)
    {
        using var client = host.Client(Key);
        using var ready = JsonDocument.Parse(await client.GetStringAsync("/readyz"));
        var store = ready.RootElement.GetProperty("store");
        return $"{store.GetProperty("kind").GetString()} {store.GetProperty("state").GetString()}";
    }

    private static async Task ReadyAsync(HttpClient client)
    {
        using var deadline = Deadline.Source();
        while (!(await client.GetAsync("/readyz", deadline.Token)).IsSuccessStatusCode)
        {
            await Task.Delay(50, deadline.Token);
        }
    }

    private async Task<List<LedgerRow>> RowsAsync()
    {
        using var ledger = new SqliteLedgerStore(Database);
        var rows = new List<LedgerRow>();
        await foreach (var row in ledger.ReadAsync(new UsageQuery(), default))
        {
            rows.Add(row);
        }

        return rows;
    }
}
