using System.Net;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>Who tries keys behind a proxy is told apart from others there, if the proxy is one that is believed.</summary>
[Category("S09")]
internal sealed class GuessedKeyTests : HostTest
{
    private const string Key = "sk-a-key-of-a-client-0123456789";
    private const string ForwardedFor = "X-Forwarded-For";

    [Test]
    public async Task Behind_a_trusted_proxy_each_client_is_counted_for_itself()
    {
        using var client = await StartAsync("""  "Listen": { "TrustedProxies": ["127.0.0.0/8"] }, """);
        Assert.That(await GuessAsync(client, 21, "203.0.113.7"), Is.EqualTo(HttpStatusCode.TooManyRequests));
        Assert.That(await GuessAsync(client, 1, "203.0.113.8"), Is.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(await GuessAsync(client, 1, "198.51.100.1, 203.0.113.7"), Is.EqualTo(HttpStatusCode.TooManyRequests), "what stands before the proxy's own word is the client's");
    }

    [Test]
    public async Task Nobody_gives_itself_another_address_by_a_header()
    {
        using var client = await StartAsync("");
        Assert.That(await GuessAsync(client, 20, null), Is.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(await GuessAsync(client, 1, "203.0.113.9"), Is.EqualTo(HttpStatusCode.TooManyRequests));
    }

    private async Task<HttpClient> StartAsync(string listen)
    {
        await WriteAsync("llmproxy.json", Configuration("http://127.0.0.1:9", Key, listen));
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        return host.Client();
    }

    /// <summary>The status of the last of so many.</summary>
    private static async Task<HttpStatusCode> GuessAsync(HttpClient client, int count, string? forwardedFor)
    {
        var last = HttpStatusCode.OK;
        for (var i = 0; i < count; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models") { Headers = { { "Authorization", "Bearer sk-a-guess" } } };
            if (forwardedFor is not null)
            {
                request.Headers.Add(ForwardedFor, forwardedFor);
            }

            using var answer = await client.SendAsync(request);
            last = answer.StatusCode;
        }

        return last;
    }
}
