using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>Upstreams whose certificates an authority has signed that the machine trusts: it is not enough.</summary>
internal sealed class UpstreamTlsTests : HostTest
{
    private const string Key = "sk-a-key-of-a-client-0123456789";

    [TestCase("localhost", -9, 9, true, TestName = "U04_a_good_certificate_of_a_trusted_authority_is_trusted", Category = "U04")]
    [TestCase("localhost", -9, -2, false, TestName = "U04_an_expired_certificate_of_a_trusted_authority_is_not", Category = "U04")]
    [TestCase("localhost", 2, 9, false, TestName = "U04_a_certificate_of_a_trusted_authority_that_is_not_valid_yet_is_not", Category = "U04")]
    [TestCase("other.example", -9, 9, false, TestName = "U04_a_trusted_authoritys_certificate_of_another_host_is_not", Category = "U04")]
    public async Task Ask(string host, int from, int to, bool isTrusted)
    {
        using var authority = new Authority();
        using X509Certificate2 certificate = authority.Sign(host, from, to);
        using var server = new TlsServer(stream => AnswerAsync(stream, certificate));
        await WriteAsync("llmproxy.json", Configuration(server.Url.ToString(), Key, "\"Listen\": { \"Api\": \"http://127.0.0.1:0\" },"));
        var trusted = await WriteAsync("authority.pem", authority.Pem);
        var proxy = await Start(Variables(("SSL_CERT_FILE", trusted), ("SSL_CERT_DIR", Folder))).StartedAsync();
        using var client = proxy.Client(Key);
        using var response = await PostAsync(client, "/v1/chat/completions", "{\"model\":\"small\"}");
        var text = await response.Content.ReadAsStringAsync();
        Assert.That((int)response.StatusCode, Is.EqualTo(isTrusted ? 200 : 502), text);
        Assert.That(text, Does.Contain(isTrusted ? "Good." : "\"code\":\"upstream_tls_error\"").And.Not.Contain("canary-subject").And.Not.Contain("other.example"));
        Assert.That(server.Connections, Is.EqualTo(1));
    }

    private static async Task<Stream> AnswerAsync(NetworkStream stream, X509Certificate2 certificate)
    {
        var tls = new SslStream(stream);
        await tls.AuthenticateAsServerAsync(certificate);
        await tls.ReadAtLeastAsync(new byte[4096], 1);
        var body = Chat.Completion("Good.");
        await tls.WriteAsync(System.Text.Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        return tls;
    }
}
