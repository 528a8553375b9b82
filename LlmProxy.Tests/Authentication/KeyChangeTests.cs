using System.Text.Json.Nodes;
using LlmProxy.Core;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Authentication;

/// <summary>Keys and groups made, changed and taken back.</summary>
internal sealed class KeyChangeTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 25, 12, 0, 0, TimeSpan.Zero));
    private MemoryKeyStore _store = null!;
    private LlmProxySnapshots _snapshots = null!;
    private KeyStoreFollower _follower = null!;
    private LlmProxyKeys _keys = null!;

    private KeyRing Ring => _snapshots.Current.Keys;

    [SetUp]
    public async Task Begin()
    {
        _store = new MemoryKeyStore();
        (_snapshots, _follower, _keys) = Instance();
        await _follower.RefreshAsync(default);
    }

    [TearDown]
    public async Task End() => await _follower.DisposeAsync();

    [Test]
    public async Task A_key_is_made_with_all_that_the_configuration_knows_and_its_secret_is_kept_nowhere()
    {
        LlmProxyKeyChange made = await _keys.CreateAsync("anna", """
            { "Group": "staff", "Models": ["gpt-5"], "Endpoints": ["chat"], "Budget": { "Day": 1.50 }, "Expires": "2027-06-30", "TimeZone": "Europe/Berlin", // soon
              "Metadata": { "owner": "Anna" }, }
            """);
        Assert.That((made.Outcome, made.Problems), Is.EqualTo((LlmProxyKeyOutcome.Done, Array.Empty<ConfigurationProblem>())));
        LlmProxyKey key = made.Key!;
        Assert.That((key.Name, key.Group, key.Tail, key.IsStored, key.Status), Is.EqualTo(("anna", "staff", made.Secret![^4..], true, LlmProxyKeyStatus.Active)));
        Assert.That(key.Id, Does.Match("^key_[0-9A-Z]{16}$"));
        Assert.That((key.Created, key.Expires), Is.EqualTo(((DateTimeOffset?)_time.GetUtcNow(), (DateTimeOffset?)new DateTimeOffset(2027, 6, 30, 22, 0, 0, TimeSpan.Zero))));
        Assert.That((key.Limits.Budget!.Day, key.Limits.Concurrent), Is.EqualTo(((decimal?)1.5m, (int?)3)), "its own, and its group's default");
        Assert.That(_keys.ModelsOf(key.Id), Is.EqualTo(new[] { "gpt-5" }));
        Assert.That(ApiKeys.IsWhole(made.Secret!));

        StoredKey row = (await _store.ReadAsync(0, default)).Keys.Single();
        Assert.That((row.Group, row.Hash), Is.EqualTo(("staff", ApiKeys.Hash(made.Secret!))));
        Assert.That(row.Settings, Is.EqualTo("""{"Models":["gpt-5"],"Endpoints":["chat"],"Budget":{"Day":1.50},"TimeZone":"Europe/Berlin","Metadata":{"owner":"Anna"}}"""));
        Assert.That(row.ToString(), Does.Not.Contain(made.Secret![8..]));
        Assert.That(JsonNode.Parse(key.Settings)!["Expires"]!.GetValue<string>(), Is.EqualTo("2027-06-30T22:00:00Z"));
        Assert.That((await _keys.ChangeAsync(key.Id, key.Settings)).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Done), "what is shown can be given back");
    }

    [TestCase("{\"Budget\": {\"Day\": \"1\"}}", "error  line 1  Budget › Day: \"1\" is text here: write 1, without quotes.")]
    [TestCase("{\"Bugdet\": {\"Day\": 1}}", "error  line 1  Bugdet: unknown member \"Bugdet\". Did you mean \"Budget\"?")]
    [TestCase("{\"Hash\": \"x\"}", "error  line 1  Hash: unknown member \"Hash\".*")]
    [TestCase("{\"Group\": \"stuff\"}", "error  line 1  Group: unknown group \"stuff\". Did you mean \"staff\"?")]
    [TestCase("{\"Models\": [\"gpt-6\"]}", "error  line 1  Models[0]: unknown model \"gpt-6\". Did you mean \"gpt-5\"?")]
    [TestCase("{\"UpstreamTags\": [\"eu\"]}", "error  line 1  UpstreamTags[0]: no upstream has the tag \"eu\". None is configured.")]
    [TestCase("{\"Concurrent\": 0, \"TimeZone\": \"Mars\"}", "error  line 1  Concurrent: is out of range: 1 or more. Leave it out for no limit.|error  line 1  TimeZone: unknown time zone \"Mars\".*")]
    [TestCase("{\"Metadata\": {\"x\": \"${PATH}\"}}", "error  line 1  Metadata › x: \"${\" fills in values in a configuration file only. Write the value itself.")]
    [TestCase("{\"Metadata\": {\"x\": \"${file:/etc/passwd}\"}}", "error  line 1  Metadata › x: \"${\" fills in values in a configuration file only. Write the value itself.")]
    [TestCase("{", "error  line 1  *")]
    [TestCase("[]", "error  line 1  needs an object*")]
    public async Task Settings_are_read_as_strictly_as_a_configuration(string settings, string problems)
    {
        LlmProxyKeyChange made = await _keys.CreateAsync("anna", settings);
        Assert.That((made.Outcome, made.Secret, made.Key), Is.EqualTo((LlmProxyKeyOutcome.Invalid, (string?)null, (LlmProxyKey?)null)));
        string[] expected = problems.Split('|');
        Assert.That(made.Problems, Has.Count.EqualTo(expected.Length), string.Join('\n', made.Problems));
        foreach (var (problem, pattern) in made.Problems.Zip(expected))
        {
            Assert.That(problem.ToString(), pattern.EndsWith('*') ? Does.StartWith(pattern[..^1]) : Is.EqualTo(pattern));
        }

        Assert.That((await _store.ReadAsync(0, default)).Keys, Is.Empty);
    }

    [TestCase("configured", LlmProxyKeyOutcome.Conflict, "Name: is taken by a key in the configuration.")]
    [TestCase("anna", LlmProxyKeyOutcome.Conflict, "Name: is taken.")]
    [TestCase("", LlmProxyKeyOutcome.Invalid, "Name: the name of a key has 1 to 100 characters on one line.")]
    [TestCase("a\nb", LlmProxyKeyOutcome.Invalid, "Name: the name of a key has 1 to 100 characters on one line.")]
    [TestCase("sk-secret", LlmProxyKeyOutcome.Invalid, "Name: the name of a key stands in records and must not be a secret: give it a name that does not start with \"sk-\".")]
    [TestCase("key_1", LlmProxyKeyOutcome.Invalid, "Name: the name of a key does not start with \"key_\": so do the ids of keys in a store.")]
    public async Task A_name_is_one_that_nobody_else_has(string name, LlmProxyKeyOutcome outcome, string problem)
    {
        await _keys.CreateAsync("anna");
        LlmProxyKeyChange made = await _keys.CreateAsync(name);
        Assert.That((made.Outcome, made.Problems.Single().ToString()), Is.EqualTo((outcome, "error  " + problem)));
    }

    [Test]
    public async Task A_name_that_another_instance_has_taken_meanwhile_is_told_as_taken()
    {
        var (_, follower, other) = Instance();
        await follower.RefreshAsync(default);
        await other.CreateAsync("anna");
        Assert.That(_keys.Find("anna"), Is.Null, "not seen here yet");
        Assert.That((await _keys.CreateAsync("anna")).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Conflict));
        Assert.That(_keys.Find("anna"), Is.Not.Null);
        await follower.DisposeAsync();
    }

    [Test]
    public async Task The_name_of_a_revoked_key_is_free_and_the_key_is_not()
    {
        LlmProxyKeyChange first = await _keys.CreateAsync("anna");
        Assert.That((await _keys.RevokeAsync("anna")).Key!.Status, Is.EqualTo(LlmProxyKeyStatus.Revoked));
        Assert.That((await _keys.CreateAsync("anna")).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Done));
        Assert.That(CodeOf(first.Secret!), Is.EqualTo("key_revoked"));
        Assert.That((await _keys.SetDisabledAsync(first.Key!.Id, false)).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Invalid), "for good");
        Assert.That((_keys.List().Count(static k => k.Name == "anna"), _keys.List(withRevoked: true).Count(static k => k.Name == "anna")), Is.EqualTo((1, 2)));
    }

    [Test]
    public async Task A_change_replaces_all_settings_and_one_for_another_revision_is_refused()
    {
        LlmProxyKey key = (await _keys.CreateAsync("anna", "{\"Concurrent\": 1, \"Debug\": true}")).Key!;
        LlmProxyKey next = (await _keys.ChangeAsync("anna", "{\"Concurrent\": 2}", key.Revision)).Key!;
        Assert.That((next.Settings, next.Revision > key.Revision), Is.EqualTo(("{\"Concurrent\":2}", true)));
        LlmProxyKeyChange late = await _keys.ChangeAsync("anna", "{\"Concurrent\": 3}", key.Revision);
        Assert.That((late.Outcome, late.Problems.Single().Path), Is.EqualTo((LlmProxyKeyOutcome.Conflict, "Revision")));
        Assert.That(_keys.Find("anna")!.Limits.Concurrent, Is.EqualTo(2));
    }

    [Test]
    public async Task Twenty_changes_at_one_time_from_two_instances_are_each_whole()
    {
        var (_, follower, other) = Instance();
        await follower.RefreshAsync(default);
        await _keys.CreateAsync("anna");
        LlmProxyKeyChange[] changes = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() => (i % 2 == 0 ? _keys : other).ChangeAsync("anna", $$"""{"Concurrent":{{i + 1}}}"""))));
        Assert.That(changes.Select(static c => c.Outcome), Is.All.EqualTo(LlmProxyKeyOutcome.Done).Or.EqualTo(LlmProxyKeyOutcome.Conflict).Or.EqualTo(LlmProxyKeyOutcome.NotFound));
        await _follower.RefreshAsync(default);
        LlmProxyKeyChange last = changes.Where(static c => c.Outcome == LlmProxyKeyOutcome.Done).MaxBy(static c => c.Key!.Revision)!;
        Assert.That(_keys.Find("anna")!.Revision, Is.GreaterThanOrEqualTo(last.Key!.Revision));
        await follower.DisposeAsync();
    }

    [Test]
    public async Task Disabling_leaves_everything_else_and_can_be_taken_back()
    {
        LlmProxyKeyChange made = await _keys.CreateAsync("anna", "{\"Concurrent\": 1}");
        Assert.That((await _keys.SetDisabledAsync("anna", true)).Key!.Status, Is.EqualTo(LlmProxyKeyStatus.Disabled));
        Assert.That(CodeOf(made.Secret!), Is.EqualTo("key_disabled"));
        Assert.That((await _keys.SetDisabledAsync("anna", false)).Key!.Settings, Is.EqualTo("{\"Concurrent\":1}"));
        Assert.That(CodeOf(made.Secret!), Is.EqualTo("ok"));
    }

    [Test]
    public async Task A_rotated_key_is_the_same_key_and_the_former_secret_ends_with_the_overlap()
    {
        LlmProxyKeyChange made = await _keys.CreateAsync("anna");
        LlmProxyKeyChange rotated = await _keys.RotateAsync("anna", TimeSpan.FromHours(24));
        Assert.That((rotated.Key!.Id, rotated.Key.FormerUntil, rotated.Key.Tail), Is.EqualTo((made.Key!.Id, (DateTimeOffset?)_time.GetUtcNow().AddHours(24), rotated.Secret![^4..])));
        Assert.That((CodeOf(made.Secret!), CodeOf(rotated.Secret!)), Is.EqualTo(("ok", "ok")));
        _time.Advance(TimeSpan.FromHours(24));
        Assert.That((CodeOf(made.Secret!), CodeOf(rotated.Secret!), _keys.Find("anna")!.FormerUntil), Is.EqualTo(("nobody", "ok", (DateTimeOffset?)null)));

        LlmProxyKeyChange again = await _keys.RotateAsync("anna", TimeSpan.Zero);
        Assert.That((CodeOf(rotated.Secret!), CodeOf(again.Secret!)), Is.EqualTo(("nobody", "ok")), "without an overlap at once");
        Assert.That((await _keys.RotateAsync("anna", TimeSpan.FromDays(400))).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Invalid));
    }

    [Test]
    public async Task What_stands_in_the_configuration_is_shown_and_not_changed_here()
    {
        LlmProxyKey key = _keys.Find("configured")!;
        Assert.That((key.Id, key.IsStored, key.Group, key.Settings), Is.EqualTo(("configured", false, "staff", "{\"Group\":\"staff\",\"RequestsPerMinute\":9}")));
        Assert.That((await _keys.RevokeAsync("configured")).Problems.Single().Message, Is.EqualTo("the key \"configured\" stands in the configuration. Change it there."));
        Assert.That((await _keys.RevokeAsync("nobody")).Outcome, Is.EqualTo(LlmProxyKeyOutcome.NotFound));
        Assert.That((await _keys.ChangeGroupAsync("staff", "{}")).Outcome, Is.EqualTo(LlmProxyKeyOutcome.NotStored));
        Assert.That(_keys.FindGroup("staff")!.Settings, Is.EqualTo("{\"EachKey\":{\"Concurrent\":3}}"));
    }

    [Test]
    public async Task Groups_are_made_changed_and_removed_once_nobody_is_in_them()
    {
        LlmProxyKeyChange made = await _keys.CreateGroupAsync("guests", "{\"Budget\": {\"Month\": 10}, \"EachKey\": {\"Concurrent\": 1}}");
        Assert.That((made.Outcome, made.Group!.IsStored, made.Group.Settings), Is.EqualTo((LlmProxyKeyOutcome.Done, true, "{\"Budget\":{\"Month\":10},\"EachKey\":{\"Concurrent\":1}}")));
        Assert.That((await _keys.CreateGroupAsync("guests")).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Conflict));
        Assert.That((await _keys.CreateGroupAsync("staff")).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Conflict));
        Assert.That((await _keys.CreateGroupAsync("other", "{\"Expires\": \"2027-01-01\"}")).Problems.Single().Path, Is.EqualTo("Expires"));

        await _keys.CreateAsync("anna", "{\"Group\": \"guests\"}");
        Assert.That(_keys.Find("anna")!.Limits.Concurrent, Is.EqualTo(1));
        await _keys.ChangeGroupAsync("guests", "{\"EachKey\": {\"Concurrent\": 2}}", made.Group.Revision);
        Assert.That(_keys.Find("anna")!.Limits.Concurrent, Is.EqualTo(2));
        Assert.That((await _keys.ChangeGroupAsync("guests", "{}", made.Group.Revision)).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Conflict));

        Assert.That((await _keys.RemoveGroupAsync("guests")).Problems.Single().Message, Is.EqualTo("1 key is in the group. Revoke them, or put them into another, first."));
        await _keys.RevokeAsync("anna");
        Assert.That((await _keys.RemoveGroupAsync("guests")).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Done));
        Assert.That((_keys.FindGroup("guests"), _keys.ListGroups().Select(static g => g.Name)), Is.EqualTo(((LlmProxyGroup?)null, new[] { "staff" })));
        Assert.That((await _keys.CreateGroupAsync("guests")).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Done), "its name is free again");
    }

    [Test]
    public async Task Without_a_store_nothing_can_be_made()
    {
        var snapshots = new LlmProxySnapshots(new LlmProxySnapshot(Options()));
        await using var follower = new KeyStoreFollower(null, snapshots.Current.Keys.Stored, null, static _ => false, _time, NullLogger<KeyStoreFollower>.Instance);
        var keys = new LlmProxyKeys(snapshots, follower, null, _time, NullLogger<LlmProxyKeys>.Instance);
        Assert.That((keys.HasStore, keys.IsReady, keys.IsCurrent), Is.EqualTo((false, true, true)));
        foreach (Task<LlmProxyKeyChange> change in new[] { keys.CreateAsync("a"), keys.RevokeAsync("a"), keys.CreateGroupAsync("a"), keys.ImportAsync([new LlmProxyKeyImport("a", new string('0', 64))]) })
        {
            Assert.That((await change).Problems.Single().Message, Does.StartWith("there is no store of keys"));
        }
    }

    internal static LlmProxyOptions Options()
    {
        var options = new LlmProxyOptions
        {
            Upstreams = { ["a"] = new UpstreamOptions { Kind = UpstreamKind.OpenAI } },
            Models = { ["gpt-5"] = new ModelOptions { Targets = { new TargetOptions { Upstream = "a", Model = "gpt-5" } } } },
        };
        options.Groups["staff"] = new GroupOptions { EachKey = new EachKeyOptions { Concurrent = 3 } };
        options.Keys["configured"] = new KeyOptions { Key = "key-of-the-configuration", Group = "staff", RequestsPerMinute = 9 };
        return options;
    }

    private string CodeOf(string secret) => Ring.Find(secret, _time, out _) is { } caller ? caller.RefusalAt(_time)?.Code ?? "ok" : "nobody";

    private (LlmProxySnapshots, KeyStoreFollower, LlmProxyKeys) Instance()
    {
        var stored = new StoredKeys();
        var snapshots = new LlmProxySnapshots(new LlmProxySnapshot(Options(), stored: stored));
        var follower = new KeyStoreFollower(_store, stored, null, static _ => false, _time, NullLogger<KeyStoreFollower>.Instance);
        return (snapshots, follower, new LlmProxyKeys(snapshots, follower, _store, _time, NullLogger<LlmProxyKeys>.Instance));
    }
}
