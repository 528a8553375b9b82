using System.Net;
using System.Text.Json;
using LlmProxy.Core.Authentication;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>Who gets to the admin API of the executable, and by which way.</summary>
internal sealed class AdminTests : HostTest
{
    private const string Key = "sk-a-key-of-a-client-0123456789";
    private const string AdminKey = "an-admin-key-0123456789";
    private const string Reader = "a-reading-key-0123456789";

    private static readonly string[] _everything = ["/upstreams", "/configuration", "/openapi.json", "/nothing"];

    [Test]
    [Category("S20")]
    public async Task S20_only_an_admin_key_opens_it_and_a_reading_one_changes_nothing()
    {
        var (host, admin) = await StartAsync(AdminKeys);
        using var client = admin;
        foreach (var path in _everything)
        {
            Assert.That(await AskAsync(client, null, path), Is.EqualTo((HttpStatusCode.Unauthorized, "invalid_admin_key")), path);
            Assert.That(await AskAsync(client, "", path), Is.EqualTo((HttpStatusCode.Unauthorized, "invalid_admin_key")), path);
            Assert.That(await AskAsync(client, AdminKey[..^1], path), Is.EqualTo((HttpStatusCode.Unauthorized, "invalid_admin_key")), path);
            Assert.That(await AskAsync(client, Key, path), Is.EqualTo((HttpStatusCode.Forbidden, "admin_key_required")), path);
        }

        Assert.That((await AskAsync(client, Reader, "/upstreams")).Status, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await AskAsync(client, Reader, "/reload", HttpMethod.Post), Is.EqualTo((HttpStatusCode.Forbidden, "read_only_key")));
        Assert.That((await AskAsync(client, AdminKey, "/reload", HttpMethod.Post)).Status, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await AskAsync(client, AdminKey, "/nothing"), Is.EqualTo((HttpStatusCode.NotFound, "unknown_url")));
        Assert.That(await AskAsync(client, AdminKey, "/upstreams", HttpMethod.Delete), Is.EqualTo((HttpStatusCode.MethodNotAllowed, "method_not_allowed")));

        // An admin key is no key of the API.
        using var api = host.Client();
        api.DefaultRequestHeaders.Authorization = new("Bearer", AdminKey);
        using var refused = await api.GetAsync("/v1/models");
        Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.Unauthorized));
    }

    [Test]
    public async Task It_is_not_on_the_port_of_the_API_whatever_the_Host_header_says()
    {
        var (host, admin) = await StartAsync(AdminKeys);
        using var client = host.Client();
        foreach (var authority in new[] { admin.BaseAddress!.Authority, "localhost", new Uri(host.Address).Authority })
        {
            using var forged = new HttpRequestMessage(HttpMethod.Get, "/admin/v1/configuration") { Headers = { Host = authority } };
            forged.Headers.Authorization = new("Bearer", AdminKey);
            using var answer = await client.SendAsync(forged);
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.NotFound), authority);
        }

        admin.Dispose();
    }

    [Test]
    public async Task It_is_on_the_port_of_the_API_where_that_is_configured()
    {
        var (host, admin) = await StartAsync($"{AdminKeys[..^2]}, \"OnApiPort\": true }}");
        admin.Dispose();
        using var client = host.Client();
        client.BaseAddress = new Uri(host.Address);
        client.DefaultRequestHeaders.Authorization = null;
        Assert.That((await AskAsync(client, AdminKey, "/configuration")).Status, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((await AskAsync(client, Key, "/configuration")).Status, Is.EqualTo(HttpStatusCode.Forbidden));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models") { Headers = { Authorization = new("Bearer", Key) } };
        using var models = await client.SendAsync(request);
        Assert.That(models.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task Without_an_admin_key_nobody_is_let_in_from_the_network()
    {
        var (_, admin) = await StartAsync("{}");
        using var client = admin;
        foreach (var key in new[] { null, "", Key })
        {
            Assert.That((await AskAsync(client, key, "/configuration")).Status, Is.EqualTo(key == Key ? HttpStatusCode.Forbidden : HttpStatusCode.Unauthorized));
        }
    }

    [Test]
    public async Task It_explains_a_request_on_behalf_of_a_key()
    {
        var (_, admin) = await StartAsync(AdminKeys);
        using var client = admin;
        client.DefaultRequestHeaders.Authorization = new("Bearer", Reader);
        using var response = await PostAsync(client, "/admin/v1/explain?key=anna&path=/v1/chat/completions", """{"model":"small","messages":[]}""");
        using var explained = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.That(explained.RootElement.GetProperty("targets")[0].GetProperty("upstream").GetString(), Is.EqualTo("tiny"));
        using var unknown = await PostAsync(client, "/admin/v1/explain?key=bob", """{"model":"small","messages":[]}""");
        Assert.That(unknown.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
    }

    [Test]
    public async Task A_body_that_is_no_object_is_refused_with_the_one_shape_of_error()
    {
        var (_, admin) = await StartAsync(AdminKeys);
        using var client = admin;
        client.DefaultRequestHeaders.Authorization = new("Bearer", AdminKey);
        foreach (var (body, code) in new[] { ("[]", "invalid_body"), ("{", "invalid_json"), ("{\"a\":1}x", "invalid_json") })
        {
            using var answer = await PostAsync(client, "/admin/v1/reload", body);
            Assert.That((answer.StatusCode, await CodeAsync(answer)), Is.EqualTo((HttpStatusCode.BadRequest, code)), body);
        }
    }

    private static string AdminKeys =>
        $$"""{ "Keys": { "ops": { "Hash": "{{ApiKeys.Hash(AdminKey)}}" }, "board": { "Hash": "{{ApiKeys.Hash(Reader)}}", "ReadOnly": true } } }""";

    private async Task<(HostProcess Host, HttpClient Admin)> StartAsync(string admin)
    {
        await WriteAsync("llmproxy.json", Configuration(
            "http://127.0.0.1:9/v1", Key, $"\"Listen\": {{ \"Api\": \"http://127.0.0.1:0\", \"Admin\": \"http://127.0.0.1:0\" }}, \"Admin\": {admin},"));
        var host = await Start().StartedAsync();
        return (host, new HttpClient { BaseAddress = new Uri((await host.SaysAsync(@"^  Admin  (http\S+)/metrics$")).Groups[1].Value) });
    }

    private static async Task<(HttpStatusCode Status, string? Code)> AskAsync(HttpClient client, string? key, string path, HttpMethod? method = null)
    {
        using var request = new HttpRequestMessage(method ?? HttpMethod.Get, "/admin/v1" + path);
        if (key is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + key);
        }

        using var answer = await client.SendAsync(request);
        return (answer.StatusCode, answer.IsSuccessStatusCode ? null : await CodeAsync(answer));
    }

    private static async Task<string?> CodeAsync(HttpResponseMessage answer)
    {
        using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return body.RootElement.GetProperty("error").GetProperty("code").GetString();
    }
}
