using LlmProxy.Core;
using LlmProxy.Core.Authentication;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;

namespace LlmProxy.Tests.Authentication;

/// <summary>Keys that exist elsewhere and are brought along by their hash.</summary>
internal sealed class KeyImportTests
{
    private MemoryKeyStore _store = null!;
    private LlmProxySnapshots _snapshots = null!;
    private KeyStoreFollower _follower = null!;
    private LlmProxyKeys _keys = null!;

    [SetUp]
    public async Task Begin()
    {
        _store = new MemoryKeyStore();
        var stored = new StoredKeys();
        _snapshots = new LlmProxySnapshots(new LlmProxySnapshot(KeyChangeTests.Options(), stored: stored));
        _follower = new KeyStoreFollower(_store, stored, null, static _ => false, TimeProvider.System, NullLogger<KeyStoreFollower>.Instance);
        _keys = new LlmProxyKeys(_snapshots, _follower, _store, TimeProvider.System, NullLogger<LlmProxyKeys>.Instance);
        await _follower.RefreshAsync(default);
    }

    [TearDown]
    public async Task End() => await _follower.DisposeAsync();

    [Test]
    public async Task A_key_goes_on_working_after_the_move()
    {
        LlmProxyKeyChange taken = await _keys.ImportAsync([new LlmProxyKeyImport("anna", Hash("sk-of-another-proxy").ToUpperInvariant(), "{\"Group\": \"staff\"}")]);
        Assert.That((taken.Outcome, taken.Key!.Name, taken.Key.Tail, taken.Secret), Is.EqualTo((LlmProxyKeyOutcome.Done, "anna", "", (string?)null)));
        Assert.That(_snapshots.Current.Keys.Find("sk-of-another-proxy", TimeProvider.System, out _)!.Group, Is.EqualTo("staff"));
    }

    [Test]
    public async Task A_table_with_quotes_blank_lines_and_the_names_of_another_proxy_is_read()
    {
        string csv = "\uFEFFtoken,key_alias,Group,expires,settings\r\n"
            + $"{Hash("one")},anna,staff,2027-06-30,\r\n"
            + "\r\n"
            + $"sha256:{Hash("two")},\"Meier, \"\"Bob\"\"\",,,\"{{ \"\"Concurrent\"\": 2,\n \"\"Budget\"\": {{ \"\"Day\"\": 1 }} }}\"\r\n"
            + $"{Hash("three")},carl,staff,,\"{{ }}\"";
        LlmProxyKeyChange taken = await _keys.ImportCsvAsync(csv);
        Assert.That(taken.Problems, Is.Empty);
        Assert.That(taken.Keys.Select(static k => (k.Name, k.Group)), Is.EqualTo(new[] { ("anna", "staff"), ("Meier, \"Bob\"", (string?)null), ("carl", "staff") }));
        Assert.That((taken.Keys[0].Expires, taken.Keys[1].Limits.Concurrent, taken.Keys[1].Limits.Budget!.Day), Is.EqualTo(((DateTimeOffset?)new DateTimeOffset(2027, 7, 1, 0, 0, 0, TimeSpan.Zero), (int?)2, (decimal?)1m)));
    }

    [Test]
    public async Task Every_line_that_is_wrong_is_told_and_none_is_taken()
    {
        await _keys.CreateAsync("taken");
        string csv = "name,hash,group,settings\n"
            + $"anna,{Hash("one")},staff,\n"
            + $"taken,{Hash("two")},,\n"
            + "bob,12345,,\n"
            + $"carl,{Hash("one")},,\n"
            + $"dora,{Hash("four")},stuff,\n"
            + $"emil,{Hash("five")},,\"{{ \"\"Colour\"\": 1 }}\"\n"
            + $"anna,{Hash("six")},,\n"
            + $"fred,{Hash("key-of-the-configuration")},,\n";
        LlmProxyKeyChange taken = await _keys.ImportCsvAsync(csv);
        Assert.That(taken.Outcome, Is.EqualTo(LlmProxyKeyOutcome.Invalid));
        Assert.That(taken.Problems.Select(static p => p.ToString()), Is.EqualTo(new[]
        {
            "error  line 3  taken › Name: is taken.",
            "error  line 4  bob › Hash: is not 64 hexadecimal digits.",
            "error  line 5  carl › Hash: stands here twice.",
            "error  line 6  dora › Group: unknown group \"stuff\". Did you mean \"staff\"?",
            "error  line 7  emil › Colour: unknown member \"Colour\". Known: Group, Models, Endpoints, UpstreamTags, RequestsPerMinute, TokensPerMinute, Concurrent, Budget, Reserve, Expires, Disabled, TimeZone, ….",
            "error  line 8  anna › Name: stands here twice.",
            "error  line 9  fred › Hash: is the key \"configured\" in the configuration.",
        }));
        Assert.That((await _store.ReadAsync(0, default)).Keys, Has.Count.EqualTo(1));
    }

    [TestCase("", "error  line 1  the table is empty: its first line names the columns, at least name and hash.")]
    [TestCase("name\nanna", "error  line 1  the column hash is missing.")]
    [TestCase("name,hash,name\n", "error  line 1  the column name stands here twice.")]
    [TestCase("name,hash,colour\n", "error  line 1  unknown column \"colour\". Known: name, hash, group, expires, settings.")]
    [TestCase("name,hash\nanna\n", "error  line 2  has 1 values, not 2 as the first line.")]
    [TestCase("name,hash\n\"anna,x\n", "error  line 2  a quote is missing at the end of a value.")]
    public async Task A_table_that_is_not_one_is_refused(string csv, string problem) =>
        Assert.That((await _keys.ImportCsvAsync(csv)).Problems.Select(static p => p.ToString()), Does.Contain(problem));

    [Test]
    public async Task Ten_thousand_keys_are_taken_in_one_step()
    {
        LlmProxyKeyChange taken = await _keys.ImportAsync([.. Enumerable.Range(0, 10_000).Select(i => new LlmProxyKeyImport($"n{i}", Hash($"s{i}")))]);
        Assert.That((taken.Outcome, taken.Keys.Count, _keys.List().Count()), Is.EqualTo((LlmProxyKeyOutcome.Done, 10_000, 10_001)));
        Assert.That(taken.Keys.Select(static k => k.Id), Is.Unique);
    }

    private static string Hash(string secret) => ApiKeys.Hash(secret)["sha256:".Length..];
}
