using System.Text;
using System.Text.Json.Nodes;
using LlmProxy.Core;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.Admin;

/// <summary>What an operator does with the admin API; every answer is held to its description.</summary>
public sealed class AdminPagesTests : LedgerFixture
{
    private HttpClient _admin = null!;

    [SetUp]
    public void MountAdmin()
    {
        Action<IServiceCollection> ledger = Setup.Services!;
        Setup.Services = services =>
        {
            services.AddSingleton<IKeyStore>(new MemoryKeyStore());
            ledger(services);
        };
        Setup.Pipeline = static app => app.UseLlmProxyAdmin(isTrusted: static _ => true).UseLlmProxy();
        Setup.Options.Groups["team"] = new GroupOptions { EachKey = new EachKeyOptions { RequestsPerMinute = 7 } };
    }

    [TearDown]
    public void DisposeClient() => _admin?.Dispose();

    [Test]
    public async Task A_key_is_made_changed_by_its_revision_disabled_rotated_and_revoked()
    {
        await BeginAsync();
        JsonNode made = await CallAsync("POST", "/keys", """{"name":"anna","settings":{"Group":"team","Budget":{"Day":1},"Metadata":{"owner":"ops"}}}""", 201);
        string id = (string)made["id"]!;
        Assert.That(ApiKeys.IsWhole((string)made["key"]!));
        JsonNode key = await CallAsync("GET", "/keys/anna");
        Assert.That(key["limits"]!.AsArray().Select(static l => (string)l!), Is.EqualTo(new[] { "1 USD a day", "7 requests a minute" }));
        Assert.That(((string)key["id"]!, key["key"], (string)key["state"]!, (string)key["source"]!), Is.EqualTo((id, (JsonNode?)null, "active", "store")));
        long revision = (long)key["revision"]!;
        JsonNode changed = await CallAsync("PATCH", "/keys/" + id, $$$"""{"settings":{"RequestsPerMinute":3},"revision":{{{revision}}}}""");
        Assert.That(changed["limits"]!.ToJsonString(), Is.EqualTo("""["3 requests a minute"]"""), "all that is not in the new settings is gone");
        await RefusedAsync("PATCH", "/keys/anna", $$$"""{"settings":{},"revision":{{{revision}}}}""", 409, "conflict");
        Assert.That((string)(await CallAsync("POST", "/keys/anna/disable"))["state"]!, Is.EqualTo("disabled"));
        Assert.That((string)(await CallAsync("POST", "/keys/anna/enable"))["state"]!, Is.EqualTo("active"));
        JsonNode rotated = await CallAsync("POST", "/keys/anna/rotate", """{"overlap":"1h"}""");
        Assert.That((string)rotated["key"]!, Is.Not.EqualTo((string)made["key"]!));
        Assert.That((string)rotated["id"]!, Is.EqualTo(id));
        Assert.That(rotated["former_until"], Is.Not.Null);
        Assert.That((string)(await CallAsync("POST", "/keys/anna/revoke"))["state"]!, Is.EqualTo("revoked"));
        Assert.That(Names(await CallAsync("GET", "/keys"), "keys"), Has.None.EqualTo("anna"));
        Assert.That(Names(await CallAsync("GET", "/keys?revoked=true"), "keys"), Has.One.EqualTo("anna"));
    }

    [TestCase("POST", "/keys", "{}", 400, "invalid_value")]
    [TestCase("POST", "/keys", """{"name":7}""", 400, "invalid_type")]
    [TestCase("POST", "/keys", """{"name":"a","settings":[]}""", 400, "invalid_type")]
    [TestCase("POST", "/keys", """{"name":"a","settings":{"Budgett":{}}}""", 400, "invalid_settings")]
    [TestCase("POST", "/keys", """{"name":"tester"}""", 409, "conflict")]
    [TestCase("PATCH", "/keys/tester", """{"settings":{}}""", 409, "no_store")]
    [TestCase("PATCH", "/keys/nobody", """{"settings":{}}""", 404, "not_found")]
    [TestCase("GET", "/keys/nobody", "", 404, "key_not_found")]
    [TestCase("POST", "/keys/nobody/rotate", """{"overlap":"soon"}""", 400, "invalid_value")]
    [TestCase("DELETE", "/groups/team", "", 409, "no_store")]
    [TestCase("GET", "/limits", "", 400, "invalid_value")]
    [TestCase("GET", "/usage?by=colour", "", 400, "invalid_value")]
    [TestCase("GET", "/usage?since=yesterday-ish", "", 400, "invalid_value")]
    [TestCase("GET", "/usage?limit=0", "", 400, "invalid_value")]
    public async Task What_cannot_be_is_refused_with_what_to_do(string method, string path, string body, int status, string code)
    {
        await BeginAsync();
        await RefusedAsync(method, path, body, status, code);
    }

    [Test]
    public async Task Groups_are_made_changed_and_removed_once_nobody_is_in_them()
    {
        await BeginAsync();
        JsonNode made = await CallAsync("POST", "/groups", """{"name":"a/b","settings":{"Models":["gpt-4o-mini"],"Concurrent":4}}""", 201);
        Assert.That(((string)made["source"]!, (int)made["keys"]!), Is.EqualTo(("store", 0)));
        await CallAsync("POST", "/keys", """{"name":"ben","settings":{"Group":"a/b"}}""", 201);
        await RefusedAsync("DELETE", "/groups/a%2Fb", "", 409, "conflict");
        Assert.That((int)(await CallAsync("PATCH", "/groups/a%2Fb", """{"settings":{"Concurrent":2}}"""))["keys"]!, Is.EqualTo(1));
        JsonArray limits = (await CallAsync("GET", "/limits?key=ben"))["limits"]!.AsArray();
        Assert.That(limits.Select(static l => ((string)l!["meter"]!, (string)l["limit_of"]!, (decimal)l["limit"]!)), Is.EqualTo(new[] { ("group/a/b", "concurrent", 2m) }));
        await CallAsync("POST", "/keys/ben/revoke");
        await CallAsync("DELETE", "/groups/a%2Fb");
        Assert.That(Names(await CallAsync("GET", "/groups"), "groups"), Is.EqualTo(new[] { "team" }));
    }

    [Test]
    public async Task A_name_is_taken_as_it_is_percent_signs_and_commas_included()
    {
        await BeginAsync();
        await CallAsync("POST", "/keys", "{\"name\":\"xA\"}", 201);
        await CallAsync("POST", "/keys", "{\"name\":\"x%41\"}", 201);
        await CallAsync("POST", "/keys/x%2541/revoke");
        Assert.That(Names(await CallAsync("GET", "/keys"), "keys"), Has.One.EqualTo("xA").And.None.EqualTo("x%41"));
        JsonNode usage = await CallAsync("GET", "/usage?by=key&key=" + Uri.EscapeDataString("tester,other"));
        Assert.That(usage["totals"]!.AsArray(), Is.Empty);
    }

    [TestCase("Sec-Fetch-Site: cross-site", 403)]
    [TestCase("Sec-Fetch-Site: same-site", 403)]
    [TestCase("Sec-Fetch-Site: same-origin", 201)]
    [TestCase("Sec-Fetch-Site: none", 201)]
    [TestCase("Origin: https://evil.example", 403)]
    [TestCase("Origin: null", 403)]
    public async Task Whoever_is_let_in_without_a_key_changes_nothing_from_a_page_of_another_site(string header, int status)
    {
        await BeginAsync();
        string[] parts = header.Split(": ");
        _admin.DefaultRequestHeaders.Add(parts[0], parts[1]);
        using HttpResponseMessage made = await _admin.PostAsync("/admin/v1/keys", new StringContent("{\"name\":\"a\"}"));
        using HttpResponseMessage seen = await _admin.GetAsync("/admin/v1/keys");
        Assert.That(((int)made.StatusCode, (int)seen.StatusCode), Is.EqualTo((status, 200)));
    }

    [Test]
    public async Task Keys_are_imported_all_or_none()
    {
        await BeginAsync();
        string hash = ApiKeys.Hash("sk-a-key-from-elsewhere");
        await RefusedAsync("POST", "/keys/import", $"name,hash\na,{hash}\nb,nonsense\n", 400, "invalid_settings");
        Assert.That(Names(await CallAsync("GET", "/keys"), "keys"), Is.EqualTo(new[] { "other", "tester" }).Or.EqualTo(new[] { "tester" }));
        Assert.That((int)(await CallAsync("POST", "/keys/import", $"\uFEFFkey_alias,token\na,{hash["sha256:".Length..]}\n"))["imported"]!, Is.EqualTo(1));
        RawResponse served = await (await SendAsync(RawClient.Request(
            "POST", ChatPath, Encoding.UTF8.GetBytes(Chat.Request()), "Authorization: Bearer sk-a-key-from-elsewhere", "Content-Type: application/json"))).ReadAsync();
        Assert.That(served.Status, Is.EqualTo(200));
        ExpectUpstreamRequests(1);
    }

    [Test]
    public async Task Usage_is_added_up_read_repriced_and_forgotten()
    {
        await BeginAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        await RowAsync();
        JsonNode usage = await CallAsync("GET", "/usage?since=1h&by=key,model,time&bucket=hour");
        JsonNode total = usage["totals"]!.AsArray().Single()!;
        Assert.That(((string)total["key"]!, (string)total["model"]!, (long)total["requests"]!), Is.EqualTo(("tester", "gpt-4o-mini", 1)));
        Assert.That((decimal)total["cost"]!, Is.GreaterThan(0));
        Assert.That((await CallAsync("GET", "/usage?since=1h&key=nobody"))["totals"]!.AsArray().Sum(static t => (long)t!["requests"]!), Is.Zero);

        string row = await (await _admin.GetAsync("/admin/v1/usage/rows?since=1h")).Content.ReadAsStringAsync();
        Assert.That(row, Does.EndWith("}\n"));
        Description.AssertFits("GET", "/usage/rows", 200, JsonNode.Parse(row));

        JsonNode trial = await CallAsync("POST", "/usage/reprice?since=1h&trial=true");
        Assert.That(((long)trial["rows"]!, (long)trial["changed"]!, (bool)trial["trial"]!), Is.EqualTo((1, 0, true)));
        Assert.That((long)(await CallAsync("DELETE", "/end-users/nobody%40example.com"))["changed"]!, Is.Zero);
        ExpectUpstreamRequests(1);
    }

    [Test]
    public async Task Long_lists_come_a_page_at_a_time()
    {
        await BeginAsync();
        for (var i = 0; i < 5; i++)
        {
            await CallAsync("POST", "/keys", $$"""{"name":"u{{i}}"}""", 201);
            await CallAsync("POST", "/groups", $$"""{"name":"g{{i}}"}""", 201);
        }

        Assert.That(await PagesAsync("/keys", "keys", "id"), Is.EqualTo((string[])["other tester", "u0 u1", "u2 u3", "u4"]));
        Assert.That(await PagesAsync("/groups", "groups", "name"), Is.EqualTo((string[])["g0 g1", "g2 g3", "g4 team"]));
        Assert.That((bool)(await CallAsync("GET", "/keys"))["has_more"]!, Is.False);
        foreach (string wrong in (string[])["/keys?limit=0", "/keys?limit=1001", "/keys?limit=x", "/keys?after=nobody", "/groups?limit=-1"])
        {
            await RefusedAsync("GET", wrong, "", 400, "invalid_value");
        }
    }

    private async Task<string[]> PagesAsync(string path, string list, string id)
    {
        var (pages, after) = (new List<string>(), "");
        while (true)
        {
            JsonNode page = await CallAsync("GET", $"{path}?limit=2{after}");
            pages.Add(string.Join(' ', Names(page, list)));
            if (!(bool)page["has_more"]!)
            {
                return [.. pages];
            }

            after = "&after=" + (string)page[list]!.AsArray()[^1]![id]!;
        }
    }

    [Test]
    public async Task It_says_how_the_proxy_is_and_reads_its_configuration_again()
    {
        await BeginAsync();
        Assert.That((string)(await CallAsync("GET", "/upstreams"))["upstreams"]!["main"]!["state"]!, Is.EqualTo("ok"));
        Assert.That((long)(await CallAsync("GET", "/configuration"))["generation"]!, Is.EqualTo(1));
        await CallAsync("POST", "/reload");
    }

    private async Task BeginAsync()
    {
        Upstream.Otherwise(Replies.LikeOpenAI);
        await StartAsync();
        _admin = new HttpClient { BaseAddress = Proxy.Address };
    }

    private async Task<JsonNode> CallAsync(string method, string path, string body = "", int status = 200)
    {
        // Without a length: that need not be announced.
        using var request = new HttpRequestMessage(new HttpMethod(method), "/admin/v1" + path);
        if (body.Length > 0)
        {
            request.Content = new StringContent(body);
            request.Headers.TransferEncodingChunked = true;
        }

        using HttpResponseMessage response = await _admin.SendAsync(request);
        string text = await response.Content.ReadAsStringAsync();
        Assert.That((int)response.StatusCode, Is.EqualTo(status), text);
        JsonNode json = JsonNode.Parse(text)!;
        Description.AssertFits(method, path.Split('?')[0], status, json);
        return json;
    }

    private async Task RefusedAsync(string method, string path, string body, int status, string code)
    {
        JsonNode refused = await CallAsync(method, path, body, status);
        Assert.That((string)refused["error"]!["code"]!, Is.EqualTo(code));
        Assert.That((string)refused["error"]!["message"]!, Is.Not.Empty);
    }

    private static IEnumerable<string> Names(JsonNode answer, string list) => answer[list]!.AsArray().Select(static item => (string)item!["name"]!);
}
