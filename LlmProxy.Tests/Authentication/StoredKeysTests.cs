using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Authentication;

/// <summary>Keys of a store beside those of the configuration.</summary>
internal sealed class StoredKeysTests
{
    private const string Anna = "sk-llmp-anna-0123456789";
    private const string Bob = "sk-llmp-anna-0123456780";
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 25, 12, 0, 0, TimeSpan.Zero));
    private StoredKeys _stored = null!;
    private LlmProxyOptions _options = null!;
    private List<string> _reported = null!;

    [SetUp]
    public void Begin()
    {
        _reported = [];
        _stored = new StoredKeys { Report = (key, why) => _reported.Add($"{key.Id} {why}"), ReportGroup = (group, why) => _reported.Add($"{group.Name} {why}") };
        _options = new LlmProxyOptions();
        _options.Groups["staff"] = new GroupOptions { EachKey = new EachKeyOptions { Concurrent = 3 } };
    }

    [Test]
    [Category("S07")]
    public void A_key_with_the_same_beginning_or_the_same_public_part_and_another_secret_is_nobodys()
    {
        Apply(1, Key("key_1", Anna));
        KeyRing ring = Ring();
        Assert.That(Find(ring, Anna), Is.EqualTo("key_1"));
        Assert.That((Find(ring, Bob), Find(ring, "key_1"), Find(ring, ApiKeys.Hash(Anna)), Find(ring, Anna + "0")), Is.EqualTo(((string?)null, (string?)null, (string?)null, (string?)null)));
    }

    [Test]
    [Category("S07")]
    public void A_string_whose_key_was_revoked_is_remembered_no_longer()
    {
        Apply(1, Key("key_1", Anna));
        KeyRing ring = Ring();
        string header = new("Bearer " + Anna);
        ring.Remember(header, ring.Find(Anna, _time, out KeySecret? secret)!, secret!, ring.Version);
        Assert.That(ring.Recall(header)?.Id, Is.EqualTo("key_1"));
        Apply(2, Key("key_1", Anna) with { Revoked = _time.GetUtcNow(), Revision = 2 });
        Assert.That(ring.Recall(header), Is.Null);
        Assert.That(ring.Find(Anna, _time, out _)!.RefusalAt(_time)!.Code, Is.EqualTo("key_revoked"));
    }

    [Test]
    public void What_was_found_before_a_change_is_not_remembered_after_it()
    {
        Apply(1, Key("key_1", Anna));
        KeyRing ring = Ring();
        string header = new("Bearer " + Anna);
        long before = ring.Version;
        Caller caller = ring.Find(Anna, _time, out KeySecret? secret)!;
        Apply(2, Key("key_1", Anna) with { Revoked = _time.GetUtcNow(), Revision = 2 });
        ring.Remember(header, caller, secret!, before);
        Assert.That(ring.Recall(header), Is.Null);
    }

    [Test]
    public void The_key_from_before_a_rotation_counts_until_its_time_and_is_not_remembered()
    {
        Apply(1, Key("key_1", Anna));
        Apply(2, Key("key_1", Bob) with { FormerHash = ApiKeys.Hash(Anna), FormerUntil = _time.GetUtcNow().AddHours(1), Revision = 2 });
        KeyRing ring = Ring();
        Assert.That((Find(ring, Bob), Find(ring, Anna)), Is.EqualTo(("key_1", "key_1")));
        ring.Find(Anna, _time, out KeySecret? secret);
        Assert.That(secret!.Until, Is.EqualTo(_time.GetUtcNow().AddHours(1)));
        _time.Advance(TimeSpan.FromHours(1));
        Assert.That((Find(ring, Bob), Find(ring, Anna)), Is.EqualTo(("key_1", (string?)null)));
        Apply(3, Key("key_1", "another-0123456789") with { Revision = 3 });
        Assert.That((Find(ring, Bob), Find(ring, Anna)), Is.EqualTo(((string?)null, (string?)null)));
    }

    [Test]
    [Category("P08")]
    public async Task P08_while_all_keys_are_read_anew_none_that_stays_is_taken_for_gone()
    {
        StoredKey[] all = [.. Enumerable.Range(0, 300).Select(i => Key($"key_{i}", $"secret-{i}"))];
        Apply(1, all);
        KeyRing ring = Ring();
        ring.Find("secret-150", _time, out KeySecret? secret);
        Task reading = Task.Run(() =>
        {
            for (int i = 2; i < 200; i++)
            {
                _stored.Apply(new KeyStoreChanges(i, [.. all.Select(key => key with { Revision = i })], []), isWhole: true);
            }
        });
        bool holds = true;
        while (!reading.IsCompleted)
        {
            var hold = new KeyHold(secret, null, 0);
            holds &= ring.Holds(ref hold, 1, _time);
        }

        await reading;
        Assert.That(holds);
        _stored.Apply(new KeyStoreChanges(500, [], []), isWhole: true);
        var last = new KeyHold(secret, null, 0);
        Assert.That(ring.Holds(ref last, 1, _time), Is.False);
    }

    [Test]
    public void A_key_has_its_groups_limits_wherever_the_group_is_kept_and_follows_it()
    {
        Apply(1, Key("key_1", Anna) with { Group = "staff" }, Key("key_2", Bob) with { Group = "guests" });
        KeyRing ring = Ring();
        Assert.That(ring.Find(Anna, _time, out _)!.Own.Concurrent, Is.EqualTo(3));
        Assert.That(ring.Find(Bob, _time, out _)!.RefusalAt(_time)!.Code, Is.EqualTo("group_gone"));
        ring.Find(Bob, _time, out _);
        Assert.That(_reported, Is.EqualTo(new[] { "key_2 its group \"guests\" does not exist" }), "said once");

        _stored.Apply(new KeyStoreChanges(2, [], [new StoredGroup { Name = "guests", Settings = "{\"EachKey\":{\"Concurrent\":1}}", Revision = 2 }]));
        Assert.That(ring.Find(Bob, _time, out _)!.Own.Concurrent, Is.EqualTo(1));
        _stored.Apply(new KeyStoreChanges(3, [], [new StoredGroup { Name = "guests", Settings = "{}", Removed = true, Revision = 3 }]));
        Assert.That(ring.Find(Bob, _time, out _)!.RefusalAt(_time)!.Code, Is.EqualTo("group_gone"));
    }

    [Test]
    public void A_caller_is_the_same_object_until_the_configuration_or_a_group_changes()
    {
        Apply(1, Key("key_1", Anna));
        KeyRing ring = Ring();
        Caller caller = ring.Find(Anna, _time, out _)!;
        Apply(2, Key("key_2", Bob));
        Assert.That(ring.Find(Anna, _time, out _), Is.SameAs(caller), "another key has changed");
        Assert.That(Ring().Find(Anna, _time, out _), Is.Not.SameAs(caller).And.Property("Id").EqualTo("key_1"));
    }

    [TestCase("{\"Colour\": 1}")]
    [TestCase("{\"Concurrent\": ")]
    [TestCase("{\"Metadata\": {\"x\": \"${PATH}\"}}")]
    [TestCase("")]
    public void A_key_whose_settings_this_version_does_not_understand_is_refused_and_not_let_through_without_them(string settings)
    {
        Apply(1, Key("key_1", Anna) with { Settings = settings });
        Assert.That(Ring().Find(Anna, _time, out _)!.RefusalAt(_time)!.Code, Is.EqualTo("key_unusable"));
        Assert.That(_reported.Single(), Does.StartWith("key_1 its settings cannot be used: "));
    }

    [Test]
    public void Between_two_with_one_name_or_one_hash_the_configurations_goes_first()
    {
        _options.Keys["anna"] = new KeyOptions { Key = Anna };
        Apply(1, Key("key_1", Anna) with { Name = "other" }, Key("key_2", Bob) with { Name = "anna" });
        KeyRing ring = Ring();
        Assert.That((Find(ring, Anna), Find(ring, Bob), ring.FindById("anna")!.Id, ring.FindById("key_2")!.Id), Is.EqualTo(("anna", "key_2", "anna", "key_2")));
    }

    [Test]
    public void What_a_whole_reading_does_not_hold_is_gone()
    {
        Apply(5, Key("key_1", Anna), Key("key_2", Bob));
        _stored.Apply(new KeyStoreChanges(1, [Key("key_2", Bob)], []), isWhole: true);
        KeyRing ring = Ring();
        Assert.That((Find(ring, Anna), Find(ring, Bob), _stored.Revision, _stored.FindKey("key_1")), Is.EqualTo(((string?)null, "key_2", 1L, (StoredKeyEntry?)null)));
    }

    [Test]
    public void Of_a_hundred_thousand_keys_one_that_changes_costs_what_one_costs()
    {
        Apply(1, [.. Enumerable.Range(0, 100_000).Select(i => Key($"key_{i}", $"secret-{i}"))]);
        KeyRing ring = Ring();
        Assert.That((Find(ring, "secret-0"), Find(ring, "secret-99999"), Find(ring, "secret-100000")), Is.EqualTo(("key_0", "key_99999", (string?)null)));

        long allocated = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            Apply(2 + i, Key($"key_{i}", $"secret-{i}") with { Revision = 2 + i, Revoked = _time.GetUtcNow() });
        }

        Assert.That((GC.GetAllocatedBytesForCurrentThread() - allocated) / 100, Is.LessThan(10_000), "bytes for each change");
        allocated = GC.GetAllocatedBytesForCurrentThread();
        _ = Ring();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - allocated, Is.LessThan(100_000), "bytes for a reload");
        Assert.That(ring.Find("secret-99", _time, out _)!.RefusalAt(_time)!.Code, Is.EqualTo("key_revoked"));
    }

    private static StoredKey Key(string id, string secret) =>
        new() { Id = id, Name = "name of " + id, Hash = ApiKeys.Hash(secret), Created = DateTimeOffset.UnixEpoch, Revision = 1 };

    private void Apply(long revision, params StoredKey[] keys) => _stored.Apply(new KeyStoreChanges(revision, keys, []));

    private KeyRing Ring() => new(_options, static name => name, _stored);

    private string? Find(KeyRing ring, string key) => ring.Find(key, _time, out _)?.Id;
}
