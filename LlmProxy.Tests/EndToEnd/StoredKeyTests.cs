using System.Diagnostics;
using System.Text;
using LlmProxy.Core;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Keys that are kept in a store, from their making to their end, and what becomes of requests while it is away.</summary>
public sealed class StoredKeyTests : ProxyFixture
{
    private readonly List<string> _folders = [];
    private FlakyKeyStore _store = null!;

    private LlmProxyKeys Keys => App.Services.GetRequiredService<LlmProxyKeys>();

    [SetUp]
    public void KeepKeys()
    {
        _store = new FlakyKeyStore();
        Setup.Services = services => services.AddSingleton<IKeyStore>(_store);
    }

    protected override void RemoveFiles()
    {
        _folders.ForEach(static folder => Directory.Delete(folder, recursive: true));
        _folders.Clear();
    }

    [Test]
    public async Task A_key_that_was_made_counts_at_once_and_records_name_its_id()
    {
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna");
        RawResponse response = await AskAsync(made.Secret!);
        Assert.That(response.Status, Is.EqualTo(200));
        Assert.That((await RecordAsync()).Caller, Is.EqualTo(made.Key!.Id).And.StartsWith("key_"));
        Assert.That(Proxy.LogLines, Has.None.Contains(made.Secret!), "S11");
    }

    [Test]
    [Category("S07")]
    public async Task A_revoked_key_is_refused_on_the_connection_on_which_it_was_served()
    {
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna");
        RawClient client = await ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            Assert.That((await AskAsync(client, made.Secret!)).Status, Is.EqualTo(200));
        }

        await Keys.RevokeAsync("anna");
        Contract.AssertError(await AskAsync(client, made.Secret!), 401, "key_revoked");
    }

    [Test]
    [Category("P08")]
    public async Task A_stream_whose_key_is_revoked_ends_whole_and_the_next_request_is_refused()
    {
        var revoked = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            await exchange.StreamHeadAsync();
            await exchange.EventsAsync(Chat.Delta("one"));
            await exchange.PauseAsync(revoked.Task);
            await exchange.EventsAsync(Chat.Delta("two"), Chat.Finish(), "[DONE]");
            await exchange.LastChunkAsync();
        });
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna");
        RawClient client = await SendAsync(Request(made.Secret!, stream: true));
        RawResponse response = await client.ReadHeadAsync();
        await response.ReadUntilAsync("one");
        await Keys.RevokeAsync("anna");
        revoked.SetResult();
        await response.ReadToEndAsync();
        Assert.That(response.Text, Does.Contain("two").And.EndsWith("data: [DONE]\n\n"));
        Contract.AssertError(await AskAsync(made.Secret!), 401, "key_revoked");
    }

    [Test]
    public async Task What_another_instance_changes_counts_within_a_second()
    {
        await StartAsync();
        string secret = ApiKeys.Create();
        await _store.SaveAsync([new StoredKey { Id = "key_A", Name = "a", Hash = ApiKeys.Hash(secret), Created = DateTimeOffset.UnixEpoch }], default);
        long began = Stopwatch.GetTimestamp();
        await Deadline.Until(() => Keys.Find("key_A") is not null, TimeSpan.FromSeconds(1), "the key");
        TestContext.Out.WriteLine($"seen after {Stopwatch.GetElapsedTime(began).TotalMilliseconds:0} ms");
        Assert.That((await AskAsync(secret)).Status, Is.EqualTo(200));
    }

    [TestCase("{\"Disabled\": true}", 401, "key_disabled")]
    [TestCase("{\"Expires\": \"2020-01-01\"}", 401, "key_expired")]
    [TestCase("{\"Endpoints\": [\"embeddings\"]}", 403, "operation_not_allowed")]
    [TestCase("{\"Models\": []}", 404, "model_not_found")]
    public async Task A_key_is_refused_by_what_was_set_for_it(string settings, int status, string code)
    {
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna", settings);
        Contract.AssertError(await AskAsync(made.Secret!), status, code, code == "model_not_found" ? "model" : null);
    }

    [Test]
    [Category("P10")]
    public async Task While_the_store_is_away_known_keys_go_on_and_others_are_not_called_invalid()
    {
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna");
        _store.IsDown = true;
        await Deadline.Until(() => !Keys.IsCurrent, what: "that to be seen");
        Assert.That(Keys.IsReady);
        Assert.That((await AskAsync(made.Secret!)).Status, Is.EqualTo(200), "known from the store");
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200), "of the configuration");
        Contract.AssertError(await AskAsync(ApiKeys.Create()), 503, "auth_unavailable");
        Assert.That((await Keys.CreateAsync("bob")).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Unavailable));

        _store.IsDown = false;
        await Deadline.Until(() => Keys.IsCurrent, what: "the store to be back");
        Contract.AssertError(await AskAsync(ApiKeys.Create()), 401, "invalid_api_key");
        Assert.That(App.Logs.Entries.Count(e => e.ToString().Contains("cannot be read", StringComparison.Ordinal)), Is.EqualTo(1), "said once");
    }

    [Test]
    [Category("P09")]
    public async Task A_start_without_the_store_and_without_a_file_is_not_ready_and_heals_without_a_restart()
    {
        string secret = ApiKeys.Create();
        await _store.SaveAsync([new StoredKey { Id = "key_A", Name = "a", Hash = ApiKeys.Hash(secret), Created = DateTimeOffset.UnixEpoch }], default);
        _store.IsDown = true;
        await StartAsync();
        Assert.That((Keys.IsReady, Keys.IsCurrent), Is.EqualTo((false, false)));
        Contract.AssertError(await AskAsync(secret), 503, "auth_unavailable");
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200), "of the configuration");
        _store.IsDown = false;
        await Deadline.Until(() => Keys.IsReady, what: "the store to be read");
        Assert.That((await AskAsync(secret)).Status, Is.EqualTo(200));
    }

    [Test]
    [Category("P09")]
    [Category("S05")]
    public async Task A_start_without_the_store_goes_by_the_file_that_the_last_run_has_kept()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("llmproxy-").FullName, "keys.json");
        _folders.Add(Path.GetDirectoryName(file)!);
        Setup.Services = services => services.AddSingleton<IKeyStore>(_store).AddLlmProxyKeySnapshot(file);
        string secret;
        await using (InProcessProxy before = await InProcessProxy.StartAsync(Setup))
        {
            LlmProxyKeys keys = before.Services.GetRequiredService<LlmProxyKeys>();
            await keys.CreateGroupAsync("team", "{\"Models\": [\"gpt-4o-mini\"]}");
            secret = (await keys.CreateAsync("anna", "{\"Group\": \"team\", \"Concurrent\": 7}")).Secret!;
            await before.StopAsync();
        }

        Assert.That(await File.ReadAllTextAsync(file), Does.Contain(ApiKeys.Hash(secret)).And.Not.Contain(secret).And.Not.Contain(secret[8..20]));
        if (!OperatingSystem.IsWindows())
        {
            Assert.That(File.GetUnixFileMode(file), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        }

        _store.IsDown = true;
        await StartAsync();
        Assert.That((Keys.IsReady, Keys.IsCurrent, Keys.Find("anna")!.Limits.Concurrent), Is.EqualTo((true, false, (int?)7)));
        Assert.That((await AskAsync(secret)).Status, Is.EqualTo(200));
        Contract.AssertError(await AskAsync(ApiKeys.Create()), 503, "auth_unavailable");

        // Whatever happened meanwhile counts when the store is back.
        _store.IsDown = false;
        await Deadline.Until(() => Keys.IsCurrent, what: "the store to be back");
        await Keys.RevokeAsync("anna");
        Contract.AssertError(await AskAsync(secret), 401, "key_revoked");
    }

    [TestCase("")]
    [TestCase("{\"Revision\":")]
    [TestCase("[1]")]
    public async Task A_file_that_is_damaged_is_no_reason_not_to_start(string text)
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("llmproxy-").FullName, "keys.json");
        _folders.Add(Path.GetDirectoryName(file)!);
        await File.WriteAllTextAsync(file, text);
        Setup.Services = services => services.AddSingleton<IKeyStore>(_store).AddLlmProxyKeySnapshot(file);
        _store.IsDown = true;
        await StartAsync();
        Assert.That(Keys.IsReady, Is.False);
        _store.IsDown = false;
        await Deadline.Until(() => Keys.IsReady, what: "the store to be read");
        await Deadline.Until(() => File.ReadAllText(file).Contains("Keys", StringComparison.Ordinal), what: "the file to be written");
    }

    [Test]
    public async Task Keys_of_the_store_stay_when_the_configuration_is_read_again_and_follow_its_groups()
    {
        Setup.IsFromFile = true;
        Setup.Options.Groups["team"] = new GroupOptions();
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna", "{\"Group\": \"team\"}");
        Assert.That((await AskAsync(made.Secret!)).Status, Is.EqualTo(200));
        Setup.Options.Groups["team"].Endpoints = ["embeddings"];
        await ReloadAsync(2);
        Contract.AssertError(await AskAsync(made.Secret!), 403, "operation_not_allowed");
        Setup.Options.Groups.Clear();
        await ReloadAsync(3);
        Contract.AssertError(await AskAsync(made.Secret!), 403, "group_gone");
        Assert.That(Keys.Find("anna")!.Status, Is.EqualTo(LlmProxyKeyStatus.Unusable));
    }

    [Test]
    public async Task An_app_may_have_no_key_in_its_configuration_where_it_has_a_store()
    {
        Setup.Options.Keys.Clear();
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna");
        Assert.That((await AskAsync(made.Secret!)).Status, Is.EqualTo(200));
    }

    private static byte[] Request(string key, bool stream = false) => RawClient.Request(
        "POST", ChatPath, Encoding.UTF8.GetBytes(Chat.Request(stream)), ["Authorization: Bearer " + key, "Content-Type: application/json"]);

    private async Task<RawResponse> AskAsync(string key) => await (await SendAsync(Request(key))).ReadAsync();

    private static async Task<RawResponse> AskAsync(RawClient client, string key)
    {
        await client.SendAsync(Request(key));
        return await client.ReadAsync();
    }
}
