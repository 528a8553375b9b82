using LlmProxy.Core.Authentication;
using NUnit.Framework;

namespace LlmProxy.Tests.Stores;

/// <summary>What every store of keys promises.</summary>
internal abstract class KeyContract
{
    private IKeyStore _store = null!;

    protected static CancellationToken None => CancellationToken.None;

    /// <summary>An empty one.</summary>
    protected abstract Task<IKeyStore> OpenAsync();

    /// <summary>A second one on the same keys, as another replica has it.</summary>
    protected abstract IKeyStore OpenOther();

    [SetUp]
    public async Task OpenStoreAsync() => _store = await OpenAsync();

    protected static StoredKey Key(string id, string? name = null, string? hash = null) =>
        new() { Id = id, Name = name ?? id + " name", Hash = hash ?? "sha256:" + id, Created = LedgerRows.Noon };

    [Test]
    public async Task A_key_comes_back_as_it_was()
    {
        var full = Key("key_1") with
        {
            Tail = "x7Fq",
            FormerHash = "sha256:former",
            FormerUntil = LedgerRows.Noon.AddHours(1),
            Group = "team",
            Expires = LedgerRows.Noon.AddDays(1),
            Revoked = LedgerRows.Noon.AddDays(2),
            Settings = """{"Models":["a"]}""",
        };
        Assert.That(await _store.SaveAsync([full, Key("key_2")], None), Is.True);
        var (revision, keys, groups) = await _store.ReadAsync(0, None);
        Assert.That(keys.Select(static key => key with { Revision = 0 }), Is.EquivalentTo(new[] { full, Key("key_2") }));
        Assert.That(keys.Select(static key => key.Revision), Is.All.GreaterThan(0).And.All.LessThanOrEqualTo(revision));
        Assert.That(groups, Is.Empty);
    }

    [Test]
    public async Task Many_come_at_once_all_of_them_or_none()
    {
        const int Many = 25_000;
        StoredKey[] all =
        [
            .. Enumerable.Range(0, Many).Select(static i => Key($"key_{i:D5}") with
            {
                Group = i % 2 == 0 ? "team" : null,
                Expires = i % 3 == 0 ? LedgerRows.Noon.AddDays(1) : null,
                Settings = """{"Models":["a"]}""",
            }),
        ];
        Assert.That(await _store.SaveAsync([.. all, Key("more", hash: all[7].Hash)], None), Is.False);
        Assert.That((await _store.ReadAsync(0, None)).Keys, Is.Empty);
        var began = TimeProvider.System.GetTimestamp();
        Assert.That(await _store.SaveAsync(all, None), Is.True);
        await TestContext.Out.WriteLineAsync($"{Many} keys took {TimeProvider.System.GetElapsedTime(began).TotalMilliseconds:0} ms");
        Assert.That((await _store.ReadAsync(0, None)).Keys.Select(static key => key with { Revision = 0 }).OrderBy(static key => key.Id, StringComparer.Ordinal), Is.EqualTo(all));
        Assert.That(await _store.SaveAsync([Key("more", all[^1].Name)], None), Is.False);
    }

    [Test]
    public async Task Only_what_has_changed_since_is_read_again()
    {
        await SaveAsync(Key("a"), Key("b"));
        var (first, keys, _) = await _store.ReadAsync(0, None);
        Assert.That(keys, Has.Count.EqualTo(2));
        Assert.That((await _store.ReadAsync(first, None)).Keys, Is.Empty);
        await SaveAsync(keys.Single(static key => key.Id == "b") with { Revoked = LedgerRows.Noon });
        Assert.That(await _store.SaveAsync(new StoredGroup { Name = "g", Settings = "{}" }, None), Is.True);
        var (second, changed, groups) = await _store.ReadAsync(first, None);
        Assert.That(second, Is.GreaterThan(first));
        Assert.That(changed.Select(static key => (key.Id, key.Revoked)), Is.EqualTo(new (string, DateTimeOffset?)[] { ("b", LedgerRows.Noon) }));
        Assert.That(groups.Single().Name, Is.EqualTo("g"));
    }

    [Test]
    public async Task A_change_needs_the_revision_that_is_there()
    {
        await SaveAsync(Key("a"));
        var (revision, keys, _) = await _store.ReadAsync(0, None);
        await SaveAsync(keys[0] with { Name = "first" });
        Assert.That(await _store.SaveAsync([keys[0] with { Name = "second" }], None), Is.False);
        Assert.That(await _store.SaveAsync([Key("unknown") with { Revision = revision }], None), Is.False);
        Assert.That((await _store.ReadAsync(0, None)).Keys.Single().Name, Is.EqualTo("first"));
    }

    [Test]
    public async Task No_two_keys_have_the_same_id_name_or_hash()
    {
        await SaveAsync(Key("a"), Key("b"));
        Assert.That(await _store.SaveAsync([Key("a", "other", "sha256:other")], None), Is.False, "id");
        Assert.That(await _store.SaveAsync([Key("c", "a name")], None), Is.False, "name");
        Assert.That(await _store.SaveAsync([Key("c", hash: "sha256:a")], None), Is.False, "hash");
        var b = (await _store.ReadAsync(0, None)).Keys.Single(static key => key.Id == "b");
        Assert.That(await _store.SaveAsync([b with { Name = "a name" }], None), Is.False, "a changed name");
        Assert.That(await _store.SaveAsync([b with { Hash = "sha256:a" }], None), Is.False, "a changed hash");
        var before = await _store.ReadAsync(0, None);
        Assert.That(before.Keys.Select(static key => key.Id), Is.EquivalentTo(new[] { "a", "b" }), "nothing was changed");
        var a = before.Keys.Single(static key => key.Id == "a");
        await SaveAsync(a with { Revoked = LedgerRows.Noon });
        Assert.That(await _store.SaveAsync([Key("d", "a name")], None), Is.True, "the name of a revoked key is free");
        Assert.That(await _store.SaveAsync([Key("e", hash: "sha256:a")], None), Is.False, "its hash is not");
    }

    [Test]
    public async Task Keys_are_saved_together_or_not_at_all()
    {
        await SaveAsync(Key("a"));
        var before = await _store.ReadAsync(0, None);
        Assert.That(await _store.SaveAsync([Key("b"), Key("c"), Key("d", "a name")], None), Is.False);
        Assert.That(await _store.SaveAsync([Key("b"), Key("b2", "b name")], None), Is.False, "two of the same name among them");
        var after = await _store.ReadAsync(0, None);
        Assert.That((after.Revision, after.Keys.Count), Is.EqualTo((before.Revision, 1)));
    }

    [Test]
    public async Task A_group_is_saved_changed_and_removed()
    {
        Assert.That(await _store.SaveAsync(new StoredGroup { Name = "g", Settings = "{}" }, None), Is.True);
        Assert.That(await _store.SaveAsync(new StoredGroup { Name = "g", Settings = "{}" }, None), Is.False, "it is there");
        var group = (await _store.ReadAsync(0, None)).Groups.Single();
        Assert.That(await _store.SaveAsync(group with { Removed = true, Settings = """{"a":1}""" }, None), Is.True);
        Assert.That(await _store.SaveAsync(group with { Settings = "{}" }, None), Is.False, "that revision has gone");
        var removed = (await _store.ReadAsync(group.Revision, None)).Groups.Single();
        Assert.That((removed.Name, removed.Removed, removed.Settings), Is.EqualTo(("g", true, """{"a":1}""")));
        Assert.That(await _store.SaveAsync(new StoredGroup { Name = "g" }, None), Is.False, "a removed one is there still");
    }

    [Test]
    public async Task Of_many_who_change_one_key_at_once_one_succeeds_and_no_revision_is_missed()
    {
        await SaveAsync([.. Enumerable.Range(0, 20).Select(static i => Key($"k{i}"))]);
        var start = await _store.ReadAsync(0, None);
        using var end = new CancellationTokenSource();
        var seen = new Dictionary<string, string>();
        var reading = Task.Run(async () =>
        {
            var other = OpenOther();
            var revision = start.Revision;
            while (true)
            {
                var last = end.IsCancellationRequested;
                var changes = await other.ReadAsync(revision, None);
                revision = changes.Revision;
                changes.Keys.ToList().ForEach(key => seen[key.Id] = key.Settings);
                if (last)
                {
                    return;
                }
            }
        });
        var saved = await Task.WhenAll(start.Keys.SelectMany(key => Enumerable.Range(0, 5).Select(async i =>
            await _store.SaveAsync([key with { Settings = $"{{\"by\":{i}}}" }], None) ? (Id: key.Id, Settings: $"{{\"by\":{i}}}") : default)));
        await end.CancelAsync();
        await reading;
        var winners = saved.Where(static one => one.Id is not null).ToArray();
        Assert.That(winners, Has.Length.EqualTo(20));
        Assert.That(seen, Is.EquivalentTo(winners.ToDictionary(static one => one.Id, static one => one.Settings)));
    }

    [Test]
    public async Task A_change_ends_the_wait_of_another_replica_within_a_second()
    {
        var other = OpenOther();
        var revision = (await other.ReadAsync(0, None)).Revision;
        await other.WaitAsync(revision, None);
        await SaveAsync(Key("a"));
        var began = TimeProvider.System.GetTimestamp();
        while ((await other.ReadAsync(revision, None)).Keys.Count == 0)
        {
            await other.WaitAsync(revision, None);
        }

        Assert.That(TimeProvider.System.GetElapsedTime(began), Is.LessThan(TimeSpan.FromSeconds(1.5)), "half a second beyond the promise, for a busy machine");
    }

    [Test]
    public async Task A_wait_can_be_ended()
    {
        using var end = new CancellationTokenSource();
        var waiting = _store.WaitAsync(0, end.Token).AsTask();
        await end.CancelAsync();
        Assert.That(async () => await waiting, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task S08_Any_text_in_any_place_is_kept_as_text()
    {
        foreach (var text in LedgerRows.Nasty)
        {
            await SaveAsync(Key(text, text, text) with { Tail = text, FormerHash = text, Group = text, Settings = text });
            Assert.That(await _store.SaveAsync(new StoredGroup { Name = text, Settings = text }, None), Is.True);
        }

        var (_, keys, groups) = await _store.ReadAsync(0, None);
        Assert.That(keys.Select(static key => (key.Id, key.Name, key.Hash, key.Tail, key.FormerHash, key.Group, key.Settings)),
            Is.EquivalentTo(LedgerRows.Nasty.Select(static text => (text, text, text, text, text, text, text))));
        Assert.That(groups.Select(static group => (group.Name, group.Settings)), Is.EquivalentTo(LedgerRows.Nasty.Select(static text => (text, text))));
    }

    private async Task SaveAsync(params StoredKey[] keys) => Assert.That(await _store.SaveAsync(keys, None), Is.True);
}
