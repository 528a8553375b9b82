using LlmProxy.Core;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.Authentication;

/// <summary>Keys of a store that goes at the worst moment, or comes back as another.</summary>
internal sealed class KeyOutageTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 25, 12, 0, 0, TimeSpan.Zero));
    private readonly StoredKeys _stored = new();
    private FlakyKeyStore _store = null!;
    private LlmProxySnapshots _snapshots = null!;
    private KeyStoreFollower _follower = null!;
    private LlmProxyKeys _keys = null!;

    [SetUp]
    public async Task Begin()
    {
        _store = new FlakyKeyStore();
        _snapshots = new LlmProxySnapshots(new LlmProxySnapshot(new LlmProxyOptions(), stored: _stored));
        _follower = new KeyStoreFollower(_store, _stored, null, static _ => false, _time, NullLogger<KeyStoreFollower>.Instance);
        _keys = new LlmProxyKeys(_snapshots, _follower, _store, _time, NullLogger<LlmProxyKeys>.Instance);
        await _follower.RefreshAsync(default);
    }

    [TearDown]
    public async Task End() => await _follower.DisposeAsync();

    [Test]
    public async Task A_new_secret_is_told_and_in_force_though_the_store_goes_as_soon_as_it_has_it()
    {
        LlmProxyKeyChange made = await _keys.CreateAsync("anna");
        _store.GoesAfterSave = true;
        LlmProxyKeyChange rotated = await _keys.RotateAsync("anna", TimeSpan.Zero);
        Assert.That(rotated.Outcome, Is.EqualTo(LlmProxyKeyOutcome.Done));
        Assert.That((Knows(made.Secret!), Knows(rotated.Secret!)), Is.EqualTo((false, true)));

        (_store.IsDown, _store.GoesAfterSave) = (false, false);
        await _follower.RefreshAsync(default);
        Assert.That((await _keys.RotateAsync("anna", TimeSpan.Zero)).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Done), "its number is the store's again");
        Assert.That(Knows(rotated.Secret!), Is.False);
    }

    [Test]
    public async Task A_group_is_told_to_be_saved_though_the_store_goes_as_soon_as_it_has_it()
    {
        _store.GoesAfterSave = true;
        LlmProxyKeyChange made = await _keys.CreateGroupAsync("team", """{"RequestsPerMinute":7}""");
        Assert.That((made.Outcome, made.Group?.Name), Is.EqualTo((LlmProxyKeyOutcome.Done, "team")));
        (_store.IsDown, _store.GoesAfterSave) = (false, false);
        await _follower.RefreshAsync(default);
        Assert.That((await _keys.ChangeGroupAsync("team", "{}")).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Done), "its number is the store's again");
        _store.GoesAfterSave = true;
        Assert.That((await _keys.RemoveGroupAsync("team")).Outcome, Is.EqualTo(LlmProxyKeyOutcome.Done));
        Assert.That(_keys.ListGroups(), Is.Empty);
    }

    [TestCase("{}")]
    [TestCase("null")]
    [TestCase("""{"Revision":5,"Keys":[null],"Groups":[]}""")]
    [TestCase("""{"Revision":5,"Keys":[{"Id":null,"Name":"a","Hash":"sha256:00","Created":"2026-11-25T12:00:00Z"}],"Groups":[]}""")]
    [TestCase("""{"Revision":5,"Keys":[]}""")]
    public async Task What_is_no_whole_snapshot_is_none(string text)
    {
        string path = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(path, text);
            _store.IsDown = true;
            await using var follower = new KeyStoreFollower(_store, new StoredKeys(), new KeySnapshotFile(path), static _ => false, TimeProvider.System, NullLogger<KeyStoreFollower>.Instance);
            await follower.StartAsync(default);
            Assert.That(follower.KnowsNothing, Is.True);
            await follower.StopAsync(default);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task After_an_outage_all_is_as_the_store_says_that_took_over_even_with_the_same_revision(bool ofTheKey)
    {
        LlmProxyKeyChange anna = await _keys.CreateAsync("anna");
        StoredKey saved = (await _store.ReadAsync(0, default)).Keys.Single();
        LlmProxyKeyChange bert = await _keys.CreateAsync("bert");

        // It never heard of bert, and anna was revoked in it: by the number that bert had, or by her own.
        var other = new MemoryKeyStore();
        await other.SaveAsync([saved with { Revision = 0, Revoked = ofTheKey ? _time.GetUtcNow() : null }], default);
        StoredKey there = (await other.ReadAsync(0, default)).Keys.Single();
        await other.SaveAsync([ofTheKey ? there with { Id = "key_0123456789012345", Hash = ApiKeys.Hash("sk-of-somebody-else-0123"), Revision = 0 } : there with { Revoked = _time.GetUtcNow() }], default);
        Assert.That((await other.ReadAsync(0, default)).Revision, Is.EqualTo(_stored.Revision));
        _store.Inner = other;
        _stored.IsOut = true;
        await _follower.RefreshAsync(default);
        Assert.That((Knows(anna.Secret!), Knows(bert.Secret!)), Is.EqualTo((false, false)));
    }

    private bool Knows(string secret) => _snapshots.Current.Keys.Find(secret, _time, out _) is { } caller && caller.RefusalAt(_time) is null;
}
