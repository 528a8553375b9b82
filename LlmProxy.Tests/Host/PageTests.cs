using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>The executable's own pages, its ports, TLS, and its records.</summary>
internal sealed class PageTests : HostTest
{
    private const string Key = "sk-a-key-of-a-client-0123456789";

    [Test]
    public async Task Its_own_pages_answer_without_a_key_and_only_under_their_own_method_and_path()
    {
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client();
        client.DefaultRequestHeaders.Authorization = null;
        var front = await client.GetStringAsync("/");
        var health = await client.GetStringAsync("/healthz");
        using var ready = JsonDocument.Parse(await client.GetStringAsync("/readyz"));
        var metrics = await client.GetStringAsync("/metrics");
        Assert.Multiple(() =>
        {
            Assert.That(front, Does.Contain(host.Address + "/v1"));
            Assert.That(health, Is.EqualTo("ok\n"));
            Assert.That(ready.RootElement.GetProperty("status").GetString(), Is.EqualTo("ready"));
            Assert.That(ready.RootElement.GetProperty("demo").GetBoolean(), Is.True);
            Assert.That(ready.RootElement.GetProperty("detail").GetString(), Does.StartWith("DEMO"));
            Assert.That(metrics, Does.Contain("# TYPE dotnet_"));
        });

        Assert.That(await StatusAsync(client, HttpMethod.Head, "/"), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await StatusAsync(client, HttpMethod.Head, "/api/hello"), Is.EqualTo(HttpStatusCode.OK));
        foreach (var (method, path) in new[] { ("GET", "/api/hello"), ("POST", "/healthz"), ("POST", "/metrics"), ("DELETE", "/"), ("GET", "/Metrics"), ("GET", "/metrics/"), ("GET", "/nothing") })
        {
            Assert.That((int)await StatusAsync(client, new HttpMethod(method), path), Is.AnyOf(401, 404, 405), $"{method} {path}");
        }
    }

    [Test]
    public async Task Times_are_counted_in_buckets_of_their_own_and_not_in_those_of_the_library()
    {
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client();
        using var body = new StringContent("""{"model":"demo","messages":[]}""", System.Text.Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), body);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        await Support.Deadline.Until(
            () => System.Text.RegularExpressions.Regex.IsMatch(client.GetStringAsync("/metrics").GetAwaiter().GetResult(), "llmproxy_overhead_duration_seconds_bucket\\{.*le=\"(0\\.00005|5E-05)\""),
            what: "a bucket of 50 microseconds");
    }

    [Test]
    public async Task Where_other_machines_can_reach_it_metrics_stand_on_the_admin_port_alone_and_nothing_else_does()
    {
        await WriteAsync("llmproxy.json", Configuration("http://127.0.0.1:9/v1", Key, "\"Listen\": { \"Api\": \"http://0.0.0.0:0\", \"Admin\": \"http://127.0.0.1:0\" },"));
        var host = await Start().StartedAsync();
        var adminAddress = (await host.SaysAsync(@"^  Admin  (http\S+)/metrics$")).Groups[1].Value;
        using var api = new HttpClient { BaseAddress = new Uri(host.Address.Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal)) };
        using var admin = new HttpClient { BaseAddress = new Uri(adminAddress) };
        api.DefaultRequestHeaders.Authorization = admin.DefaultRequestHeaders.Authorization = new("Bearer", Key);

        using var forged = new HttpRequestMessage(HttpMethod.Get, "/metrics") { Headers = { Host = new Uri(adminAddress).Authority } };
        using var refused = await api.SendAsync(forged);
        Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        Assert.That(await StatusAsync(api, HttpMethod.Get, "/v1/models"), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await StatusAsync(admin, HttpMethod.Get, "/metrics"), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await StatusAsync(admin, HttpMethod.Get, "/healthz"), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await StatusAsync(admin, HttpMethod.Get, "/v1/models"), Is.EqualTo(HttpStatusCode.NotFound));
        Assert.That(await StatusAsync(admin, HttpMethod.Get, "/"), Is.EqualTo(HttpStatusCode.NotFound));
    }

    [Test]
    public async Task With_a_certificate_it_speaks_tls_and_http_2()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var made = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero));
        await WriteAsync("tls.pem", made.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n");
        await WriteAsync("llmproxy.json", Configuration("http://127.0.0.1:9/v1", Key, "\"Listen\": { \"Api\": \"https://127.0.0.1:0\", \"Certificate\": \"tls.pem\" },"));
        var host = await Start().StartedAsync();

        X509Certificate? seen = null;
        using var handler = new SocketsHttpHandler { UseProxy = false };
        handler.SslOptions.EnabledSslProtocols = SslProtocols.None;
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => (seen = certificate) is not null;
        using var client = new HttpClient(handler) { BaseAddress = new Uri(host.Address), DefaultRequestVersion = HttpVersion.Version20 };
        using var response = await client.GetAsync("/healthz");
        Assert.Multiple(() =>
        {
            Assert.That(response.Version, Is.EqualTo(HttpVersion.Version20));
            Assert.That(seen?.GetCertHashString(), Is.EqualTo(made.GetCertHashString()));
        });
    }

    [Test]
    public async Task A_certificate_file_without_its_key_is_refused()
    {
        await WriteAsync("tls.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        await WriteAsync("llmproxy.json", Configuration("http://127.0.0.1:9/v1", Key, "\"Listen\": { \"Api\": \"https://127.0.0.1:0\", \"Certificate\": \"tls.pem\" },"));
        var (code, _, people) = await RunAsync(null);
        Assert.That(code, Is.EqualTo(1));
        Assert.That(people, Does.Contain("Listen.Certificate: tls.pem"));
    }

    [Test]
    public async Task Every_request_becomes_one_line_of_json_on_standard_output()
    {
        var host = await Start("--urls", "http://127.0.0.1:0").StartedAsync();
        using var client = host.Client();
        using var response = await PostAsync(client, "/v1/chat/completions", """{"model":"demo","messages":[{"role":"user","content":"a secret question"}]}""");
        using var hostile = await PostAsync(client, "/v1/chat/completions", """{"model":"a\u001b[31mb\n{}","messages":[{"role":"user","content":"a secret question"}]}""");
        var line = (await host.ResultsInAsync("^{.*}$")).Value;
        var second = (await host.ResultsInAsync("(?<=^{.*}\n){.*}$")).Value;
        using var record = JsonDocument.Parse(line);
        Assert.Multiple(() =>
        {
            Assert.That(record.RootElement.GetProperty("id").GetString(), Is.EqualTo(response.Headers.GetValues("x-request-id").Single()));
            Assert.That(record.RootElement.GetProperty("operation").GetString(), Is.EqualTo("chat"));
            Assert.That(record.RootElement.GetProperty("status").GetInt32(), Is.EqualTo(200));
            Assert.That(record.RootElement.GetProperty("end").GetString(), Is.EqualTo("ok"));
            Assert.That(record.RootElement.GetProperty("output_tokens").GetInt64(), Is.GreaterThan(0));
            Assert.That(second, Does.Contain(hostile.Headers.GetValues("x-request-id").Single()));
            Assert.That(line + second, Does.Not.Contain("secret").And.Not.Contain(host.Key!).And.Not.Contain("\u001b"));
        });
    }

    [Test]
    public async Task Records_can_be_switched_off()
    {
        var host = await Start("--urls", "http://127.0.0.1:0", "--log", "requests=off").StartedAsync();
        using var client = host.Client();
        await client.GetStringAsync("/v1/models");
        Assert.That(await host.StoppedAsync(), Is.Zero);
        Assert.That(host.Results, Is.Empty);
    }

    [Test]
    public async Task Where_nobody_reads_its_records_requests_are_answered_all_the_same()
    {
        var host = await Keep(HostProcess.Start(Folder, null, readsResults: false, "--urls", "http://127.0.0.1:0")).StartedAsync();
        using var client = host.Client();
        // Each record has more than 250 bytes, and a pipe holds 64 KiB of them.
        for (var i = 0; i < 1000; i++)
        {
            Assert.That(await StatusAsync(client, HttpMethod.Get, "/v1/models"), Is.EqualTo(HttpStatusCode.OK));
        }

        Assert.That(await host.StoppedAsync(), Is.Zero, "and it ends, though its last records reach nobody");
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, HttpMethod method, string path)
    {
        using var request = new HttpRequestMessage(method, path);
        using var response = await client.SendAsync(request);
        return response.StatusCode;
    }
}
