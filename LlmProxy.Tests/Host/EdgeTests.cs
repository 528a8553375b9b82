using System.Text;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>What never becomes a request of ours: slow, malformed, oversized, or another protocol (C25, C26, C37, C38, C45).</summary>
internal sealed class EdgeTests : HostTest
{
    private const string Tls = "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003";

    private HostProcess _host = null!;

    [SetUp]
    public async Task StartAsync() => _host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();

    [Test]
    public async Task C25_C26_slow_headers_and_slow_bodies_are_cut_while_others_are_served()
    {
        var headers = new List<RawClient>();
        for (var i = 0; i < 50; i++)
        {
            headers.Add(await _host.ConnectAsync());
            await headers[i].SendAsync("GET /v1/models HTTP/1.1\r\nHost: a\r\nX-Slow: ");
        }

        await using var body = await _host.ConnectAsync();
        await body.SendAsync($"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {_host.Key}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{");

        var late = await body.ReadAsync();
        Contract.AssertError(late, 408, "request_timeout");
        await body.WaitForCloseAsync();
        await AssertServesAsync();
        foreach (var client in headers)
        {
            var cut = await client.ReadAsync();
            Assert.That(cut.Status, Is.EqualTo(408));
            await client.WaitForCloseAsync();
            await client.DisposeAsync();
        }

        await AssertServesAsync();
        Assert.That(_host.People, Does.Not.Contain("warn").And.Not.Contain("error"), "no line for each of them");
    }

    [TestCase("GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400)]
    [TestCase("GET /v1/models HTTP/1.1\r\n\r\n", 400)]
    [TestCase("GET /v1/models HTTP/1.1\r\nHost: user@a\r\n\r\n", 400)]
    [TestCase("GET /v1/models HTTP/1.1\r\nHost: a/b\r\n\r\n", 400)]
    [TestCase("GET http://b/v1/models HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    [TestCase("GET /v1/models HTTP/1.1\r\nHost:\r\n\r\n", 400)]
    [TestCase("{33 KB header}", 431)]
    [TestCase("{101 headers}", 431)]
    [TestCase("{9 KB URI}", 414)]
    [TestCase("{100 KB method}", 414)]
    [TestCase(Tls, 400)]
    public async Task C37_C38_C45_what_is_no_proper_request_is_refused_and_the_connection_closed(string request, int status)
    {
        await using var client = await _host.ConnectAsync();
        try
        {
            await client.SendAsync(Encoding.Latin1.GetBytes(Written(request)));
        }
        catch (IOException)
        {
            // Answered and closed before all of it was sent.
        }

        var answer = await client.ReadAsync();
        Assert.That(answer.Status, Is.EqualTo(status), Encoding.Latin1.GetString(client.Received.Span));
        await AssertServesAsync();
    }

    [Test]
    public async Task C38_they_are_counted_by_reason()
    {
        await using var client = await _host.ConnectAsync();
        await client.SendAsync(Written("{101 headers}"));
        await client.ReadAsync();
        await client.WaitForCloseAsync();
        using var http = _host.Client();
        var metrics = await http.GetStringAsync("/metrics");
        Assert.That(metrics, Does.Match("kestrel_connection_duration_seconds_count\\{.*error_type=\"max_request_header_count_exceeded\""));
    }

    [Test]
    public async Task C45_http_2_without_tls_is_told_to_go_and_the_connection_closed()
    {
        await using var client = await _host.ConnectAsync();
        await client.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        Assert.That(async () => await client.ReadHeadAsync(), Throws.InstanceOf<EndOfStreamException>());
        const byte GoAway = 7, Http11Required = 13;
        Assert.That(client.Received.ToArray(), Has.Length.EqualTo(17).And.ItemAt(3).EqualTo(GoAway).And.ItemAt(16).EqualTo(Http11Required));
        await AssertServesAsync();
    }

    [Test]
    public async Task C45_an_upgrade_to_http_2_is_ignored()
    {
        await using var client = await _host.ConnectAsync();
        await client.SendAsync("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
        var answer = await client.ReadAsync();
        Assert.That((answer.Status, answer.Text, answer.Headers.StartLine), Is.EqualTo((200, "ok\n", "HTTP/1.1 200 OK")));
    }

    private async Task AssertServesAsync()
    {
        using var client = _host.Client();
        Assert.That(await client.GetStringAsync("/v1/models"), Does.Contain("demo"));
    }

    private static string Written(string request) => request switch
    {
        "{33 KB header}" => $"GET /v1/models HTTP/1.1\r\nHost: a\r\nX-Long: {new string('x', 33 * 1024)}\r\n\r\n",
        "{101 headers}" => $"GET /v1/models HTTP/1.1\r\nHost: a\r\n{string.Concat(Enumerable.Range(1, 100).Select(i => $"X-{i}: 1\r\n"))}\r\n",
        "{9 KB URI}" => $"GET /v1/{new string('x', 9 * 1024)} HTTP/1.1\r\nHost: a\r\n\r\n",
        "{100 KB method}" => $"{new string('X', 100 * 1024)} /v1/models HTTP/1.1\r\nHost: a\r\n\r\n",
        _ => request,
    };
}
