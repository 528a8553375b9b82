using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Authentication;

internal sealed class KeyRingTests
{
    private const string Plain = "plain-key-0123456789";
    private const string Hashed = "hashed-key-0123456789";

    [Test]
    public void A_key_is_found_whether_it_was_written_plainly_or_as_its_hash()
    {
        var keys = Ring();
        Assert.That((keys.Find(Plain, TimeProvider.System, out _)!.Id, keys.Find(Hashed, TimeProvider.System, out _)!.Id), Is.EqualTo(("plain", "hashed")));
        var again = keys.Find(Plain, TimeProvider.System, out _);
        Assert.That(keys.Find(Plain, TimeProvider.System, out _), Is.SameAs(again), "one caller for all requests of a key");
    }

    [TestCase("")]
    [TestCase("plain-key-012345678")]
    [TestCase("plain-key-01234567890")]
    [TestCase("Plain-key-0123456789")]
    [TestCase(" plain-key-0123456789")]
    [TestCase("plain-key-0123456789\n")]
    [TestCase("plain-key\0-0123456789")]
    [TestCase("plаin-key-0123456789", Description = "A Cyrillic letter.")]
    public void Anything_else_is_nobodys(string key) => Assert.That(Ring().Find(key, TimeProvider.System, out _), Is.Null);

    [Test]
    public void A_hash_is_not_a_key() => Assert.That(Ring().Find(ApiKeys.Hash(Hashed), TimeProvider.System, out _), Is.Null);

    [Test]
    public void A_key_has_at_most_200_characters()
    {
        var options = new LlmProxyOptions();
        options.Keys["long"] = new KeyOptions { Key = new string('k', 200) };
        options.Keys["longer"] = new KeyOptions { Hash = ApiKeys.Hash(new string('k', 201)) };
        var keys = new KeyRing(options, name => name);
        Assert.That(keys.Find(new string('k', 200), TimeProvider.System, out _)!.Id, Is.EqualTo("long"));
        Assert.That(keys.Find(new string('k', 201), TimeProvider.System, out _), Is.Null);
        Assert.That(keys.Find(new string('k', 100_000), TimeProvider.System, out _), Is.Null);
    }

    [Test]
    public void A_user_gets_the_lists_of_the_claimed_group_and_else_of_the_default()
    {
        var options = Options();
        options.Groups["staff"] = new GroupOptions { Models = ["a"] };
        options.Groups["guests"] = new GroupOptions { Models = [] };
        options.HostIdentity = new HostIdentityOptions { DefaultGroup = "guests" };
        var keys = new KeyRing(options, name => name);
        Assert.That((keys.ForUser("u", "staff").Group, keys.ForUser("u", "staff").Allows("a")), Is.EqualTo(("staff", true)));
        Assert.That((keys.ForUser("u", "Staff").Group, keys.ForUser("u", "Staff").Allows("a")), Is.EqualTo(("guests", false)));
        Assert.That((keys.ForUser("u", null).Group, keys.ForUser("u", null).Allows("a")), Is.EqualTo(("guests", false)));
    }

    [Test]
    public void A_made_key_is_random_and_its_hash_is_lower_case()
    {
        var made = Enumerable.Range(0, 1_000).Select(_ => ApiKeys.Create()).ToArray();
        Assert.That(made, Is.Unique.And.All.Match("^sk-llmp-[0-9A-Za-z]{38}$").And.All.Matches<string>(ApiKeys.IsWhole));
        Assert.That(ApiKeys.Hash("abc"), Is.EqualTo("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    }

    [Test]
    public void A_mistyped_key_is_told_from_a_wrong_one()
    {
        string key = ApiKeys.Create();
        for (int i = "sk-llmp-".Length; i < key.Length; i++)
        {
            string typed = key[..i] + (key[i] == 'a' ? 'b' : 'a') + key[(i + 1)..];
            Assert.That(ApiKeys.IsWhole(typed), Is.False, typed);
        }

        Assert.That((ApiKeys.IsWhole(key[..^1]), ApiKeys.IsWhole(key + "0"), ApiKeys.IsWhole("")), Is.EqualTo((false, false, false)));
    }

    private static KeyRing Ring() => new(Options(), name => name);

    private static LlmProxyOptions Options()
    {
        var options = new LlmProxyOptions();
        options.Keys["plain"] = new KeyOptions { Key = Plain };
        options.Keys["hashed"] = new KeyOptions { Hash = ApiKeys.Hash(Hashed) };
        return options;
    }
}
