using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

internal sealed class StoreTests
{
    [Test]
    public void Without_it_nothing_is_said_and_the_executable_decides() => Assert.That(Written.Read(Written.Root("")).Store, Is.Null);

    [TestCase("\"SQLite\"", StoreKind.SQLite)]
    [TestCase("\"None\"", StoreKind.None)]
    [TestCase("{ \"Kind\": \"None\" }", StoreKind.None)]
    [TestCase("{ }", StoreKind.SQLite)]
    public void Its_kind_may_stand_alone(string written, StoreKind kind) =>
        Assert.That(Written.Read(Written.Root($"\"Store\": {written}")).Store!.Kind, Is.EqualTo(kind));

    [Test]
    public void All_of_it_is_read()
    {
        var store = Written.Read(Written.Root("""
            "Store": { "Kind": "PostgreSQL", "ConnectionString": "${KEY}", "Path": "/data", "KeepDays": 90, "Journal": "4GiB", "WhenFull": "Refuse", "WhenCutOff": "Serve" }
            """)).Store!;
        Assert.That((store.Kind, store.ConnectionString, store.Path, store.KeepDays), Is.EqualTo((StoreKind.PostgreSQL, Written.Canary, "/data", 90)));
        Assert.That((store.Journal, store.WhenFull, store.WhenCutOff), Is.EqualTo((4L << 30, FullJournal.Refuse, CutOffShare.Serve)));
    }

    [Test]
    public void A_connection_that_stands_in_the_file_is_warned_of_and_not_shown()
    {
        var warnings = Written.Warned(Written.Root("\"Store\": { \"Kind\": \"PostgreSQL\", \"ConnectionString\": \"Host=db;Password=5ecret\" }"));
        Assert.That(warnings, Is.EqualTo(new[] { "warn   line 2  Store › ConnectionString: a secret stands in the file. Use \"${STORE_CONNECTION}\"." }));
    }

    [TestCase("\"sqlite\"", "Store: unknown value \"sqlite\". Did you mean \"SQLite\"?")]
    [TestCase("1", "Store: needs \"SQLite\" or \"PostgreSQL\" or \"None\", or an object with Kind, not a number.")]
    [TestCase("\"PostgreSQL\"", "Store › ConnectionString: is missing: for example \"${file:/run/secrets/postgres}\", a file that holds \"Host=…;Username=…;Password=…;Database=…\".")]
    [TestCase("{ \"ConnectionString\": \"${KEY}\" }", "Store › ConnectionString: means nothing for the store \"SQLite\". Leave it out, or write \"Kind\": \"PostgreSQL\".")]
    [TestCase("{ \"Kind\": \"None\", \"Path\": \"x\" }", "Store › Path: means nothing for the store \"None\". Leave it out.")]
    [TestCase("{ \"Path\": \" \" }", "Store › Path: is no folder. Name one, or leave it out for the data directory.")]
    [TestCase("{ \"WhenCutOff\": \"Serve\" }", "Store › WhenCutOff: means nothing for the store \"SQLite\", which shares no limits. Leave it out.")]
    [TestCase("{ \"KeepDays\": 0 }", "Store › KeepDays: is out of range: 1 to 36500. Leave it out to keep everything.")]
    [TestCase("{ \"Journal\": \"1KiB\" }", "Store › Journal: is out of range: 8MiB to 1024GiB.")]
    [TestCase("{ \"Journal\": 1024 }", "Store › Journal: 1024 needs a unit: \"1KiB\" or \"1024B\".")]
    [TestCase("{ \"KeepDay\": 90 }", "Store › KeepDay: unknown member \"KeepDay\". Did you mean \"KeepDays\"?")]
    public void What_cannot_be_meant_is_refused(string written, string problem) =>
        Assert.That(Written.Refused(Written.Root($"\"Store\": {written}")), Is.EqualTo(new[] { "error  line 2  " + problem }));
}
