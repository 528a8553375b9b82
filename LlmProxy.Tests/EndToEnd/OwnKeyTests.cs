using System.Text;
using System.Text.Json.Nodes;
using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What a caller is told of itself, and what becomes of those who are nobody.</summary>
public sealed class OwnKeyTests : ProxyFixture
{
    [Test]
    public async Task A_key_learns_what_it_is_what_it_may_use_and_what_is_left()
    {
        Setup.Options.Models["gpt-other"] = ProxySetup.Model("main", "x");
        Setup.Options.Models["claude-*"] = ProxySetup.Model("main", "*");
        Setup.Options.Groups["team"] = new GroupOptions { Models = ["gpt-4o-mini", "claude-*"], Concurrent = 9, EachKey = new EachKeyOptions { RequestsPerMinute = 5 } };
        KeyOptions key = Setup.Options.Keys["tester"];
        (key.Group, key.Endpoints, key.Expires) = ("team", ["chat", "embeddings"], new DateTimeOffset(2099, 1, 1, 0, 0, 0, TimeSpan.Zero));
        await StartAsync();
        await PostAsync(Chat.Request());
        await PostAsync(Chat.Request());
        RawResponse response = await GetAsync("/v1/key");
        Assert.That((response.Status, response.Headers["Cache-Control"]), Is.EqualTo((200, "no-store")));
        JsonObject json = response.Json;
        Assert.That(json["limits"]![0]!["resets"]!.GetValue<DateTimeOffset>(), Is.GreaterThan(DateTimeOffset.UtcNow));
        json["limits"]![0]!["resets"] = null;
        Assert.That(json.ToJsonString(), Is.EqualTo("""
            {"object":"key","id":"tester","name":"tester","group":"team","models":["gpt-4o-mini","claude-*"],"endpoints":["chat","embeddings"],"expires":"2099-01-01T00:00:00Z",
            "limits":[{"scope":"key","limit_of":"requests","window":"minute","limit":5,"used":2,"left":3,"resets":null},
            {"scope":"group","limit_of":"concurrent","window":"now","limit":9,"used":0,"left":9,"resets":null}]}
            """.ReplaceLineEndings("")));
    }

    [Test]
    public async Task A_key_without_limits_and_group_says_so()
    {
        await StartAsync();
        JsonObject json = (await GetAsync("/v1/key")).Json;
        Assert.That((json["group"], json["expires"], json["limits"]!.AsArray().Count), Is.EqualTo(((JsonNode?)null, (JsonNode?)null, 0)));
    }

    [Test]
    public async Task Money_that_is_left_is_told_with_the_end_of_its_day_there()
    {
        Setup.UseFakeClock();
        Setup.Options.Prices["main/*"] = new PriceOptions { Input = 1, Output = 1, Request = 0.25m };
        KeyOptions key = Setup.Options.Keys["tester"];
        (key.Budget, key.TimeZone) = (new BudgetOptions { Day = 1, Month = 10 }, "Asia/Tokyo");
        await StartAsync();
        await PostAsync(Chat.Request());
        JsonArray limits = (await GetAsync("/v1/key")).Json["limits"]!.AsArray();
        Assert.That(limits.Select(static l => ((string?)l!["window"], l["resets"]!.GetValue<DateTimeOffset>())), Is.EqualTo(new[]
        {
            ("day", new DateTimeOffset(2026, 11, 22, 15, 0, 0, TimeSpan.Zero)), ("month", new DateTimeOffset(2026, 11, 30, 15, 0, 0, TimeSpan.Zero)),
        }));
        Assert.That((decimal)limits[0]!["left"]!, Is.LessThanOrEqualTo(0.75m).And.GreaterThan(0.74m));
        Assert.That(App.Services.GetRequiredService<LlmProxyLimits>().OfKey("tester").Select(static l => (l.Meter, l.Of)), Is.EqualTo(new[] { ("key/tester", "usd"), ("key/tester", "usd") }));
    }

    [Test]
    [Category("S09")]
    public async Task Whoever_tries_keys_is_slowed_down_and_who_has_one_is_not()
    {
        Setup.UseFakeClock();
        await StartAsync();
        for (int i = 0; i < 20; i++)
        {
            Contract.AssertError(await AskAsync("sk-llmp-guess" + i), 401, "invalid_api_key");
        }

        RawResponse refused = await AskAsync("sk-llmp-guess20");
        Contract.AssertError(refused, 429, "too_many_auth_failures");
        Assert.That(refused.Headers["Retry-After"], Is.EqualTo("3"));
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200), "from the same address");
        Contract.AssertError(await (await SendAsync(RawClient.Request("GET", "/v1/models", []))).ReadAsync(), 401, "invalid_api_key");
        Setup.Clock!.Advance(TimeSpan.FromSeconds(3));
        Contract.AssertError(await AskAsync("sk-llmp-guess21"), 401, "invalid_api_key");
    }

    private async Task<RawResponse> AskAsync(string key) => await (await SendAsync(RawClient.Request(
        "POST", ChatPath, Encoding.UTF8.GetBytes(Chat.Request()), ["Authorization: Bearer " + key, "Content-Type: application/json"]))).ReadAsync();
}
