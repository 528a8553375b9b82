using System.Net;
using System.Net.Sockets;
using System.Text;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Upstreams that are reached through a proxy on the way out.</summary>
public sealed class EgressTests : ProxyFixture
{
    [Test]
    public async Task A_configured_proxy_is_asked_for_the_whole_address_and_resolves_the_name_itself()
    {
        Setup.Main.Url = new Uri("http://nowhere.example:8123/v1");
        Setup.Main.Proxy = $"http://{Upstream.EndPoint}";
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request(stream: true));
        Contract.AssertWhole(response, Sse.Whole(Chat.Words("Hello", " there")));
        Assert.That(Upstream.Request.Target, Is.EqualTo("http://nowhere.example:8123/v1/chat/completions"));
    }

    [Test]
    public async Task Through_a_tunnel_the_upstream_proves_who_it_is_and_the_proxy_sees_no_request()
    {
        using var authority = new TestAuthority();
        TlsServer server = Own(new TlsServer(TlsServer.With(authority.Issue("nowhere.example")), Upstream.EndPoint));
        Tunnel tunnel = Own(new Tunnel(server.EndPoint));
        Setup.Main.Url = new Uri("https://nowhere.example/v1");
        Setup.Main.CaFile = authority.File;
        Setup.Main.Proxy = $"http://{tunnel.EndPoint}";
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Assert.That(tunnel.Head, Does.StartWith("CONNECT nowhere.example:443 HTTP/1.1\r\n").And.Not.Contain(Canary.UpstreamKey));
        Assert.That(Upstream.Request.Target, Is.EqualTo("/v1/chat/completions"));
    }

    [Test]
    public async Task U04_through_a_tunnel_another_server_is_not_trusted()
    {
        using var authority = new TestAuthority();
        TlsServer server = Own(new TlsServer(TlsServer.With(authority.Issue("other.example")), Upstream.EndPoint));
        Tunnel tunnel = Own(new Tunnel(server.EndPoint));
        Setup.Main.Url = new Uri("https://nowhere.example/v1");
        Setup.Main.CaFile = authority.File;
        Setup.Main.Proxy = $"http://{tunnel.EndPoint}";
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request()), 502, "upstream_tls_error");
        ExpectUpstreamRequests(0);
    }

    [TestCase(403)]
    [TestCase(407)]
    [TestCase(502)]
    public async Task U01_a_proxy_that_makes_no_tunnel_is_a_502(int status)
    {
        Upstream.Otherwise(Replies.Empty(status));
        Setup.Main.Url = new Uri("https://nowhere.example/v1");
        Setup.Main.Proxy = $"http://{Upstream.EndPoint}";
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Contract.AssertError(response, 502, "upstream_connect_error");
        Assert.That(response.Text, Does.Not.Contain("nowhere.example").And.Not.Contain("127.0.0.1"));
        ExpectUpstreamRequests(1);
    }

    [TestCase("None")]
    [TestCase("Environment")]
    public async Task Without_one_an_upstream_on_this_machine_is_asked_directly_whatever_the_environment_says(string proxy)
    {
        InProcessOnly("it changes the environment's proxy");
        IWebProxy before = HttpClient.DefaultProxy;
        HttpClient.DefaultProxy = new WebProxy("http://user:secret@127.0.0.1:9");
        try
        {
            Setup.Main.Proxy = proxy;
            await StartAsync();
            Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
            Assert.That(Upstream.Request.Target, Is.EqualTo("/v1/chat/completions"));
        }
        finally
        {
            HttpClient.DefaultProxy = before;
        }
    }

    [Test]
    public async Task The_environments_proxy_is_asked_for_what_is_on_the_internet_and_its_credentials_are_told_nobody()
    {
        InProcessOnly("it changes the environment's proxy");
        IWebProxy before = HttpClient.DefaultProxy;
        HttpClient.DefaultProxy = new WebProxy($"http://{Upstream.EndPoint}") { Credentials = new NetworkCredential("user", Canary.OtherClientKey) };
        try
        {
            Upstream.Next(Replies.Empty(407, ("Proxy-Authenticate", "Basic realm=\"x\"")));
            Upstream.Next(Replies.Json(503, Chat.Error("no luck")));
            Setup.Main.Url = new Uri("http://nowhere.example/v1");
            await StartAsync();
            Contract.AssertError(await PostAsync(Chat.Request()), 503, "upstream_error");
            Assert.That(Upstream.Requests.Select(r => r.Target), Is.All.EqualTo("http://nowhere.example/v1/chat/completions"));
            Assert.That(Upstream.Requests[1].Headers["Proxy-Authorization"], Does.StartWith("Basic "));
            Assert.That(Upstream.Requests[1].Text, Is.EqualTo(Upstream.Requests[0].Text));
            ExpectUpstreamRequests(2);
        }
        finally
        {
            HttpClient.DefaultProxy = before;
        }
    }

    /// <summary>A proxy that leads every tunnel to the same server.</summary>
    private sealed class Tunnel : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly IPEndPoint _server;

        public Tunnel(IPEndPoint server)
        {
            _server = server;
            _listener.Start();
            _ = ServeAsync();
        }

        public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndpoint;

        /// <summary>What it was asked.</summary>
        public string Head { get; private set; } = "";

        public void Dispose() => _listener.Dispose();

        private async Task ServeAsync()
        {
            try
            {
                using TcpClient client = await _listener.AcceptTcpClientAsync();
                NetworkStream near = client.GetStream();
                byte[] head = new byte[4096];
                int length = 0;
                while (!Encoding.ASCII.GetString(head, 0, length).EndsWith("\r\n\r\n", StringComparison.Ordinal))
                {
                    length += await near.ReadAsync(head.AsMemory(length));
                }

                Head = Encoding.ASCII.GetString(head, 0, length);
                using var server = new TcpClient();
                await server.ConnectAsync(_server);
                NetworkStream far = server.GetStream();
                await near.WriteAsync("HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray());
                await Task.WhenAny(near.CopyToAsync(far), far.CopyToAsync(near));
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        }
    }
}
