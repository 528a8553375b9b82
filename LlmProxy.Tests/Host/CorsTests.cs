using System.Net;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>Pages in a browser: those of named origins may call and read every answer, others get no word of permission (S28).</summary>
internal sealed class CorsTests : HostTest
{
    private const string Key = "sk-a-key-of-a-client-0123456789";
    private const string Ours = "https://chat.example.com";
    private const string AllowOrigin = "Access-Control-Allow-Origin";

    [Test]
    public async Task S28_pages_of_named_origins_get_preflights_without_a_key_and_may_read_streams_and_errors()
    {
        await using var upstream = await TinyUpstream.StartAsync();
        await WriteAsync("llmproxy.json", Configuration(upstream.Url, Key, $$"""  "Cors": { "Origins": ["{{Ours}}", "app://desktop.example"] }, """));
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client();

        using var preflight = await SendAsync(client, HttpMethod.Options, Ours, key: null);
        Assert.Multiple(() =>
        {
            Assert.That(preflight.StatusCode, Is.EqualTo(HttpStatusCode.NoContent));
            Assert.That(Header(preflight, AllowOrigin), Is.EqualTo(Ours));
            Assert.That(Header(preflight, "Access-Control-Allow-Methods"), Does.Contain("POST"));
            Assert.That(Header(preflight, "Access-Control-Allow-Headers"), Does.Contain("authorization").And.Contain("x-stainless-lang"));
            Assert.That(Header(preflight, "Access-Control-Allow-Credentials"), Is.Null);
        });

        foreach (var (key, status) in new[] { (Key, HttpStatusCode.OK), ("sk-nobody", HttpStatusCode.Unauthorized) })
        {
            using var answer = await SendAsync(client, HttpMethod.Post, Ours, key);
            Assert.Multiple(() =>
            {
                Assert.That(answer.StatusCode, Is.EqualTo(status));
                Assert.That(Header(answer, AllowOrigin), Is.EqualTo(Ours));
                Assert.That(Header(answer, "Vary"), Is.EqualTo("Origin"));
                Assert.That(Header(answer, "Access-Control-Expose-Headers"), Does.Contain("x-request-id").And.Contain("retry-after-ms").And.Contain("x-ratelimit-reset-tokens"));
            });
        }

        foreach (var method in new[] { HttpMethod.Options, HttpMethod.Post })
        {
            using var foreign = await SendAsync(client, method, "https://evil.example", Key);
            Assert.That(Header(foreign, AllowOrigin), Is.Null, $"{method}");
        }

        using var metrics = new HttpRequestMessage(HttpMethod.Get, "/metrics") { Headers = { { "Origin", Ours } } };
        using var page = await client.SendAsync(metrics);
        Assert.That(Header(page, AllowOrigin), Is.Null, "the API alone");
    }

    [Test]
    public async Task S28_it_is_off_by_default()
    {
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client();
        using var preflight = await SendAsync(client, HttpMethod.Options, Ours, key: null);
        using var answer = await SendAsync(client, HttpMethod.Post, Ours, host.Key);
        Assert.Multiple(() =>
        {
            Assert.That(preflight.StatusCode, Is.EqualTo(HttpStatusCode.MethodNotAllowed));
            Assert.That(Header(preflight, AllowOrigin), Is.Null);
            Assert.That(Header(answer, AllowOrigin), Is.Null);
        });
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, HttpMethod method, string origin, string? key)
    {
        using var request = new HttpRequestMessage(method, "/v1/chat/completions") { Headers = { { "Origin", origin } } };
        client.DefaultRequestHeaders.Authorization = key is null ? null : new("Bearer", key);
        if (method == HttpMethod.Options)
        {
            request.Headers.Add("Access-Control-Request-Method", "POST");
            request.Headers.Add("Access-Control-Request-Headers", "authorization,content-type,x-stainless-lang");
        }
        else
        {
            request.Content = new StringContent("""{"model":"small","messages":[],"stream":true}""", null, "application/json");
        }

        return await client.SendAsync(request);
    }

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? string.Join(",", values) : null;
}
