using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

/// <summary>How much callers may use, as an operator writes it.</summary>
internal sealed class AllowanceTests
{
    [Test]
    public void Everything_that_a_key_may_have_is_read()
    {
        var key = Key("""
            "RequestsPerMinute": 60, "TokensPerMinute": 5000000000, "Concurrent": 4, "Budget": { "Day": 0.1, "Month": 40, "Total": 0 }, "Reserve": "Exact",
            "Endpoints": ["chat", "messages"], "Expires": "2027-06-30T18:00:00+02:00", "Disabled": true, "TimeZone": "Europe/Berlin", "Metadata": { "owner": "Anna", "cost centre": "4711" }
            """);
        Assert.That((key.RequestsPerMinute, key.TokensPerMinute, key.Concurrent, key.Reserve), Is.EqualTo(((int?)60, (long?)5_000_000_000, (int?)4, (ReserveMode?)ReserveMode.Exact)));
        Assert.That((key.Budget!.Day, key.Budget.Month, key.Budget.Total), Is.EqualTo(((decimal?)0.1m, (decimal?)40m, (decimal?)0m)));
        Assert.That(key.Endpoints, Is.EqualTo(new[] { "chat", "messages" }));
        Assert.That((key.Expires, key.Disabled, key.TimeZone), Is.EqualTo(((DateTimeOffset?)new DateTimeOffset(2027, 6, 30, 16, 0, 0, TimeSpan.Zero), true, "Europe/Berlin")));
        Assert.That(key.Metadata, Is.EqualTo(new Dictionary<string, string> { ["owner"] = "Anna", ["cost centre"] = "4711" }));

        key = Key("");
        Assert.That((key.RequestsPerMinute, key.TokensPerMinute, key.Concurrent, key.Budget, key.Reserve, key.Endpoints, key.Expires, key.TimeZone), Is.EqualTo(((int?)null, (long?)null, (int?)null, (BudgetOptions?)null, (ReserveMode?)null, (IList<string>?)null, (DateTimeOffset?)null, (string?)null)));
    }

    [Test]
    public void A_group_has_a_pool_a_default_for_each_key_and_the_people_behind_them()
    {
        var options = Written.Read(Written.Root("""
            "TimeZone": "America/New_York", "Groups": { "g": { "Concurrent": 100, "Endpoints": [], "TimeZone": "Asia/Kolkata", "Reserve": "Expected",
            "EachKey": { "RequestsPerMinute": 2, "Budget": { "Day": 1 } }, "EndUser": { "Header": "X-User", "TokensPerMinute": 9 } } }
            """));
        var group = options.Groups["g"];
        Assert.That((options.TimeZone, group.TimeZone, group.Concurrent, group.Reserve), Is.EqualTo(("America/New_York", "Asia/Kolkata", (int?)100, (ReserveMode?)ReserveMode.Expected)));
        Assert.That(group.Endpoints, Is.Not.Null.And.Empty, "none");
        Assert.That((group.EachKey!.RequestsPerMinute, group.EachKey.Budget!.Day), Is.EqualTo(((int?)2, (decimal?)1m)));
        Assert.That((group.EndUser!.Header, group.EndUser.TokensPerMinute), Is.EqualTo(("X-User", (long?)9)));
    }

    [TestCase("\"RequestsPerMinute\": 0", "RequestsPerMinute: is out of range: 1 or more. Leave it out for no limit.")]
    [TestCase("\"TokensPerMinute\": -1", "TokensPerMinute: is out of range: 1 or more. Leave it out for no limit.")]
    [TestCase("\"Concurrent\": 0", "Concurrent: is out of range: 1 or more. Leave it out for no limit.")]
    [TestCase("\"Concurrent\": \"4\"", "Concurrent: \"4\" is text here: write 4, without quotes.")]
    [TestCase("\"TokensPerMinute\": 99999999999999999999", "TokensPerMinute: needs a whole number, not \"99999999999999999999\".")]
    [TestCase("\"Budget\": 40", "Budget: needs an object { … }, not a number.")]
    [TestCase("\"Budget\": { }", "Budget: limits nothing: give Day, Month or Total in US dollars.")]
    [TestCase("\"Budget\": { \"Week\": 1, \"Day\": 1 }", "Budget › Week: unknown member \"Week\". Known: Day, Month, Total.")]
    [TestCase("\"Budget\": { \"Day\": \"$40\" }", "Budget › Day: needs a number of US dollars without quotes, not \"$40\".")]
    [TestCase("\"Budget\": { \"Day\": -1 }", "Budget › Day: is out of range: 0 to 1000000000 US dollars.")]
    [TestCase("\"Budget\": { \"Total\": 2000000000 }", "Budget › Total: is out of range: 0 to 1000000000 US dollars.")]
    [TestCase("\"Reserve\": \"exact\"", "Reserve: unknown value \"exact\". Did you mean \"Exact\"?")]
    [TestCase("\"Endpoints\": [\"chat\", \"chats\"]", "Endpoints[1]: unknown operation \"chats\". Did you mean \"chat\"?")]
    [TestCase("\"Endpoints\": \"chat\"", "Endpoints: needs a list [ … ], not text.")]
    [TestCase("\"Expires\": \"30.06.2027\"", "Expires: \"30.06.2027\" is not a day such as \"2027-06-30\" or an instant such as \"2027-06-30T18:00:00Z\".")]
    [TestCase("\"Expires\": \"2027-06-31\"", "Expires: \"2027-06-31\" is not a day such as \"2027-06-30\" or an instant such as \"2027-06-30T18:00:00Z\".")]
    [TestCase("\"Expires\": \"2027-06-30T18:00:00\"", "Expires: \"2027-06-30T18:00:00\" is not a day such as \"2027-06-30\" or an instant such as \"2027-06-30T18:00:00Z\".")]
    [TestCase("\"Disabled\": \"true\"", "Disabled: \"true\" is text here: write true, without quotes.")]
    [TestCase("\"TimeZone\": \"Europe/Berlim\"", "TimeZone: unknown time zone \"Europe/Berlim\". Did you mean \"Europe/Berlin\"?")]
    [TestCase("\"TimeZone\": \"../../../etc/passwd\"", "TimeZone: unknown time zone \"../../../etc/passwd\". Write it as the IANA database does, for example \"Europe/Berlin\".")]
    [TestCase("\"Metadata\": { \"a\": 1 }", "Metadata › a: needs text in quotes, not a number.")]
    [TestCase("\"Metadata\": { \"a\": \"x\\ny\" }", "Metadata › a: needs a name of 1 to 100 characters and a text of at most 500, each on one line.")]
    [TestCase("\"EndUser\": { \"Header\": \"X-User\" }", "EndUser: unknown member \"EndUser\". Known: Hash, Key, Group, Models, Endpoints, UpstreamTags, RequestsPerMinute, TokensPerMinute, Concurrent, Budget, Reserve, Expires, ….")]
    public void What_would_limit_otherwise_than_was_meant_is_refused(string member, string problem) => Assert.That(
        Written.Refused(Written.Root($$"""  "Keys": { "k": { "Hash": "{{Written.Hash}}", {{member}} } } """)),
        Is.EqualTo(new[] { "error  line 2  Keys › k › " + problem }));

    [TestCase("\"EndUser\": { \"Budget\": { \"Day\": 1 } }", "EndUser › Header: is missing: the header that names the user, for example \"X-OpenWebUI-User-Email\".")]
    [TestCase("\"EndUser\": { \"Header\": \"X User\" }", "EndUser › Header: is not the name of a header: letters, digits and \"-\".")]
    [TestCase("\"EndUser\": { \"Header\": \"authorization\" }", "EndUser › Header: carries a secret, which must not become the name of a user.")]
    [TestCase("\"EndUser\": { \"Header\": \"X-User\", \"Concurrent\": 0 }", "EndUser › Concurrent: is out of range: 1 or more. Leave it out for no limit.")]
    [TestCase("\"EachKey\": { \"Budget\": { \"Day\": -1 } }", "EachKey › Budget › Day: is out of range: 0 to 1000000000 US dollars.")]
    [TestCase("\"TimeZone\": \"CEST\"", "TimeZone: unknown time zone \"CEST\". Write it as the IANA database does, for example \"Europe/Berlin\".")]
    [TestCase("\"Expires\": \"2027-06-30\"", "Expires: unknown member \"Expires\". Known: Models, Endpoints, UpstreamTags, RequestsPerMinute, TokensPerMinute, Concurrent, Budget, Reserve, EachKey, EndUser, TimeZone.")]
    public void So_it_is_of_a_group(string member, string problem) => Assert.That(
        Written.Refused(Written.Root($$"""  "Groups": { "g": { {{member}} } } """)),
        Is.EqualTo(new[] { "error  line 2  Groups › g › " + problem }));

    [TestCase("", "", "2027-06-30T00:00:00Z", Description = "UTC")]
    [TestCase("\"TimeZone\": \"Europe/Berlin\"", "", "2027-06-29T22:00:00Z")]
    [TestCase("", "\"TimeZone\": \"America/New_York\"", "2027-06-30T04:00:00Z")]
    [TestCase("\"TimeZone\": \"Asia/Tokyo\"", "\"TimeZone\": \"America/New_York\"", "2027-06-29T15:00:00Z", Description = "the key's own goes first")]
    public void A_key_that_ends_on_a_day_lives_through_that_day_where_it_is(string ofKey, string ofRoot, string end)
    {
        var key = Written.Read(Written.Root($$"""
            "Keys": { "k": { "Hash": "{{Written.Hash}}", "Expires": "2027-06-29"{{(ofKey.Length > 0 ? ", " : "")}}{{ofKey}} } }{{(ofRoot.Length > 0 ? ", " : "")}}{{ofRoot}}
            """)).Keys["k"];
        Assert.That(key.Expires, Is.EqualTo(DateTimeOffset.Parse(end, System.Globalization.CultureInfo.InvariantCulture)));
    }

    [TestCase("Europe/Berlin", "2027-03-28", "2027-03-27T23:00:00Z")]
    [TestCase("Europe/Berlin", "2027-03-29", "2027-03-28T22:00:00Z", Description = "the day before had 23 hours")]
    [TestCase("America/Havana", "2027-03-14", "2027-03-14T05:00:00Z", Description = "midnight is skipped there: clocks go from 0 to 1")]
    [TestCase("America/Havana", "2027-11-07", "2027-11-07T04:00:00Z", Description = "midnight comes twice there: the first counts")]
    [TestCase("Asia/Kathmandu", "2027-01-01", "2026-12-31T18:15:00Z")]
    public void A_day_begins_where_its_clocks_say_so(string zone, string day, string start)
    {
        Assert.That(TimeZones.TryFind(zone, out var found));
        Assert.That(
            TimeZones.StartOf(DateOnly.Parse(day, System.Globalization.CultureInfo.InvariantCulture), found),
            Is.EqualTo(DateTimeOffset.Parse(start, System.Globalization.CultureInfo.InvariantCulture)));
    }

    private static KeyOptions Key(string members) =>
        Written.Read(Written.Root($$"""  "Keys": { "k": { "Hash": "{{Written.Hash}}"{{(members.Length > 0 ? ", " : "")}}{{members}} } } """)).Keys["k"];
}
