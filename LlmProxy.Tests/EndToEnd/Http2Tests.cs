using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using LlmProxy.Tests.Support;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Clients that come over TLS with HTTP/2: there a broken stream is reset.</summary>
public sealed class Http2Tests : ProxyFixture
{
    private const int InternalError = 2;

    private Http2Frames _frames = null!;
    private X509Certificate2 _certificate = null!;

    [SetUp]
    public void ListenWithTls()
    {
        _frames = new Http2Frames();
        _certificate = Own(NewCertificate());
        Setup.Listen = listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(_certificate);
        };
    }

    [Test]
    public async Task A_whole_stream_ends_clean()
    {
        await StartAsync();
        using HttpClient client = NewTlsClient();
        (string text, Exception? error) = await ReadAsync(client);
        Assert.That(error, Is.Null);
        Assert.That(text, Is.EqualTo(Sse.Whole(Chat.Words("Hello", " there"))));
        await Deadline.Until(() => _frames.Streams() is [{ EndedClean: true, Reset: null }], what: "END_STREAM");
    }

    [TestCase("reset")]
    [TestCase("clean-end")]
    [TestCase("error-event-clean-end")]
    [TestCase("error-event-then-done")]
    [TestCase("finish-reason-error")]
    public async Task U43_a_broken_stream_is_reset_and_never_ends_clean(string name)
    {
        Http2Answer[] streams = [.. await BreakAsync(name)];
        Assert.That(streams.Where(s => s.EndedClean || s.Reset != InternalError || s.Data.Contains("[DONE]", StringComparison.Ordinal)), Is.Empty);
    }

    [TestCase("reset")]
    [TestCase("clean-end")]
    [TestCase("error-event-clean-end")]
    [TestCase("error-event-then-done")]
    [TestCase("finish-reason-error")]
    public async Task U43_the_error_event_of_a_broken_stream_is_written_before_the_reset(string name)
    {
        Http2Answer[] streams = [.. await BreakAsync(name)];
        int without = streams.Count(s => !Sse.Data(s.Data).LastOrDefault("").StartsWith("{\"error\":{", StringComparison.Ordinal));
        Assert.That(without, Is.Zero, $"of {streams.Length} streams");
    }

    /// <summary>Asks often enough that a race is lost some time.</summary>
    private async Task<IReadOnlyList<Http2Answer>> BreakAsync(string name)
    {
        const int Times = 10;
        StreamEnding ending = StreamEnding.Of(StreamSample.Chat).Single(e => e.Name == name);
        Upstream.Otherwise(ending.Script);
        await StartAsync();
        using HttpClient client = NewTlsClient();
        for (int i = 0; i < Times; i++)
        {
            (_, Exception? error) = await ReadAsync(client);
            Assert.That(error, Is.InstanceOf<HttpIOException>().Or.InstanceOf<HttpRequestException>());
        }

        await Deadline.Until(() => _frames.Streams().Count(s => s.Reset is not null) == Times, what: "RST_STREAM of every stream");
        await Deadline.Until(() => Proxy.Records.Count == Times);
        Assert.That(Proxy.Records.Select(r => r.End), Is.All.EqualTo(ending.End));
        return _frames.Streams();
    }

    /// <returns>What a client got, and how it ended other than clean.</returns>
    private static async Task<(string Text, Exception? Error)> ReadAsync(HttpClient client)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, ChatPath)
        {
            Content = new StringContent(Chat.Request(stream: true), Encoding.UTF8, "application/json"),
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Canary.ClientKey);
        using var received = new MemoryStream();
        try
        {
            using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            await using Stream body = await response.Content.ReadAsStreamAsync();
            await body.CopyToAsync(received);
            return (Encoding.UTF8.GetString(received.ToArray()), null);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            return (Encoding.UTF8.GetString(received.ToArray()), e);
        }
    }

    private HttpClient NewTlsClient() => new(new SocketsHttpHandler
    {
        UseProxy = false,
        SslOptions = new SslClientAuthenticationOptions
        {
            EnabledSslProtocols = SslProtocols.None,
            RemoteCertificateValidationCallback = (_, seen, _, _) => seen?.GetCertHashString() == _certificate.GetCertHashString(),
        },
        PlaintextStreamFilter = (connection, _) => ValueTask.FromResult<Stream>(new RecordingStream(connection.PlaintextStream, _frames.Take)),
    })
    {
        BaseAddress = Proxy.Address,
        Timeout = Deadline.Default,
    };

    private static X509Certificate2 NewCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero));
    }
}
