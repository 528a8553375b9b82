using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Upstreams whose certificate an authority of one's own has signed.</summary>
[Category("U04")]
public sealed class OwnAuthorityTests : ProxyFixture
{
    private TestAuthority _authority = null!;
    private TestAuthority _other = null!;

    [SetUp]
    public void MakeAuthorities()
    {
        _authority = Own(new TestAuthority());
        _other = Own(new TestAuthority());
        Setup.Main.CaFile = _authority.File;
    }

    [Test]
    public async Task U04_what_the_own_authority_has_signed_is_trusted()
    {
        await StartAsync(TlsServer.With(_authority.Issue("localhost")));
        Contract.AssertWhole(await PostAsync(Chat.Request(stream: true)), Sse.Whole(Chat.Words("Hello", " there")));
        Assert.That(Upstream.Request.Headers["Authorization"], Is.EqualTo("Bearer " + Canary.UpstreamKey));
    }

    /// <summary>Its connection is waited for below its encryption's plain side, and what comes there may be no event yet.</summary>
    [Test]
    public async Task U04_a_stream_whose_events_come_one_by_one_is_relayed_as_they_come_and_whole()
    {
        string[] words = ["one", " two", " three", " four", " five"];
        using var seen = new SemaphoreSlim(0);
        Upstream.Otherwise(async exchange =>
        {
            await exchange.StreamHeadAsync();
            foreach (string word in words)
            {
                await exchange.EventsAsync(Chat.Delta(word));
                await Deadline.In(seen.WaitAsync());
            }

            await exchange.ChunkAsync(Sse.Event(Chat.Finish("stop")) + Sse.Done);
            await exchange.LastChunkAsync();
        });
        await StartAsync(TlsServer.With(_authority.Issue("localhost")));
        for (int i = 0; i < 2; i++)
        {
            RawResponse response = await (await SendJsonAsync(Chat.Request(stream: true))).ReadHeadAsync();
            foreach (string word in words)
            {
                await response.ReadUntilAsync(word);
                seen.Release();
            }

            Assert.That((await response.ReadToEndAsync()).End, Is.EqualTo(BodyEnd.Whole));
        }

        Assert.That(Upstream.Requests.Select(r => r.Connection), Is.EqualTo(new[] { 0, 0 }), "it was read to its end");
        ExpectUpstreamRequests(2);
    }

    [Test]
    public async Task U04_any_of_several_authorities_in_the_file_will_do()
    {
        await File.WriteAllTextAsync(_authority.File, _authority.Pem + _other.Pem);
        await StartAsync(TlsServer.With(_other.Issue("localhost")));
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task U04_an_authority_in_between_that_the_server_sends_along_is_followed_to_the_own_one()
    {
        TestAuthority between = Own(_authority.Below());
        await StartAsync(TlsServer.With(between.Issue("localhost"), between.Public));
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
    }

    public static IEnumerable<TestCaseData> Refusals()
    {
        yield return Row("whose_name_is_another", static (own, _) => own.Issue("other.example"));
        yield return Row("that_has_expired", static (own, _) => own.Issue("localhost", -9, -2));
        yield return Row("that_is_not_valid_yet", static (own, _) => own.Issue("localhost", 2, 9));
        yield return Row("that_another_authority_signed", static (_, other) => other.Issue("localhost"));
        yield return Row("that_signed_itself", static (_, _) => TlsServer.SelfSigned("localhost"));
    }

    [TestCaseSource(nameof(Refusals))]
    public async Task U04_refuses(Func<TestAuthority, TestAuthority, X509Certificate2> certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        TlsServer server = await StartAsync(TlsServer.With(certificate(_authority, _other)));
        RawResponse response = await PostAsync(Chat.Request());
        Contract.AssertError(response, 502, "upstream_tls_error");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Text, Does.Not.Contain("canary-subject").And.Not.Contain("other.example"));
            Assert.That((server.Connections > 0, server.Received), Is.EqualTo((true, 0)), "no request goes out on a connection that is not trusted");
        }

        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task U04_without_the_file_the_own_authority_is_nobody()
    {
        Setup.Main.CaFile = null;
        await StartAsync(TlsServer.With(_authority.Issue("localhost")));
        Contract.AssertError(await PostAsync(Chat.Request()), 502, "upstream_tls_error");
        ExpectUpstreamRequests(0);
    }

    private static TestCaseData Row(string what, Func<TestAuthority, TestAuthority, X509Certificate2> certificate) =>
        new TestCaseData(certificate).SetName($"U04_a_certificate_{what}_is_a_502_with_an_own_authority_too");

    private async Task<TlsServer> StartAsync(Func<NetworkStream, Task<Stream>> greet)
    {
        TlsServer server = Own(new TlsServer(greet, Upstream.EndPoint));
        Setup.Main.Url = server.Url;
        await StartAsync();
        return server;
    }
}
