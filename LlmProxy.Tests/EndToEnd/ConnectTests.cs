using System.Net;
using System.Net.Sockets;
using System.Text;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Forwarding;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Connections to upstreams that do not come about, and addresses that are not asked.</summary>
public sealed class ConnectTests : ProxyFixture
{
    private static readonly TimeSpan s_connect = TimeSpan.FromMilliseconds(600);

    public static IEnumerable<TestCaseData> Greetings()
    {
        yield return Row("an_expired_certificate", () => TlsServer.With(TlsServer.SelfSigned("localhost", -9, -2)));
        yield return Row("a_certificate_of_another_host", () => TlsServer.With(TlsServer.SelfSigned("other.example")));
        yield return Row("a_certificate_that_nobody_signed", () => TlsServer.With(TlsServer.SelfSigned("localhost")));
        yield return Row("plain_HTTP_where_TLS_is_due", () => async stream =>
        {
            await stream.WriteAsync("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8.ToArray());
            return Stream.Null;
        });
        yield return Row("an_alert_that_speaks_of_versions", () => async stream =>
        {
            await stream.ReadAtLeastAsync(new byte[1024], 1);
            await stream.WriteAsync((byte[])[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46]);
            return Stream.Null;
        });
        yield return Row("a_close_in_the_handshake", () => stream => Task.FromResult(Stream.Null));
        yield return Row("a_handshake_that_stalls", () => null);
    }

    [TestCaseSource(nameof(Greetings))]
    public async Task U04(Func<Func<NetworkStream, Task<Stream>>?> greet)
    {
        ArgumentNullException.ThrowIfNull(greet);
        TlsServer server = Own(new TlsServer(greet()));
        Setup.Main.Url = server.Url;
        Setup.Main.Timeouts.Connect = s_connect;
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Contract.AssertError(response, 502, "upstream_tls_error");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Text, Does.Not.Contain("canary-subject").And.Not.Contain("other.example"));
            Assert.That(server.Connections, Is.Positive);
            Assert.That(server.Received, Is.Zero, "no request goes out on a connection that is not trusted");
        }

        ExpectUpstreamRequests(0);
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task U03_a_connection_that_nobody_accepts_is_a_504_after_the_time_to_connect(bool stream)
    {
        using var hole = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        hole.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        hole.Listen(1);
        Socket[] before = await FillAsync((IPEndPoint)hole.LocalEndPoint!);
        Setup.Main.Url = new Uri($"http://{hole.LocalEndPoint}/v1");
        Setup.Main.Timeouts.Connect = s_connect;
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(stream)), 504, "upstream_connect_timeout");
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame), Is.EqualTo(("upstream_connect_timeout", "upstream")));
        Array.ForEach(before, socket => socket.Dispose());
        ExpectUpstreamRequests(0);
    }

    [Test]
    [Category("U02")]
    public async Task U02_a_changed_address_is_used_within_two_minutes()
    {
        InProcessOnly("it looks at the handler");
        await StartAsync();
        await PostAsync(Chat.Request());
        HttpMessageHandler handler = App.Services.GetRequiredService<IHttpMessageHandlerFactory>().CreateHandler(UpstreamClients.Prefix + "main");
        while (handler is DelegatingHandler { InnerHandler: { } inner })
        {
            handler = inner;
        }

        // With every connection the name is resolved anew, as S14 shows.
        Assert.That(((SocketsHttpHandler)handler).PooledConnectionLifetime, Is.InRange(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(2)));
    }

    [TestCase("169.254.169.254", true)]
    [TestCase("169.254.0.1", true)]
    [TestCase("::ffff:169.254.169.254", true)]
    [TestCase("64:ff9b::a9fe:a9fe", true)]
    [TestCase("::169.254.169.254", true)]
    [TestCase("fe80::1", true)]
    [TestCase("febf::1", true)]
    [TestCase("fd00:ec2::254", true)]
    [TestCase("100.100.100.200", true)]
    [TestCase("::ffff:100.100.100.200", true)]
    [TestCase("168.63.129.16", true)]
    [TestCase("127.0.0.1", false)]
    [TestCase("::1", false)]
    [TestCase("::", false)]
    [TestCase("10.1.2.3", false)]
    [TestCase("192.168.0.1", false)]
    [TestCase("172.16.0.1", false)]
    [TestCase("100.100.100.201", false)]
    [TestCase("fd00::1", false)]
    [TestCase("8.8.8.8", false)]
    [TestCase("2001:db8::1", false)]
    [Category("S14")]
    public void S14_link_local_and_metadata_addresses_are_guarded_and_no_others(string address, bool isGuarded) =>
        Assert.That(GuardedAddresses.Contain(IPAddress.Parse(address)), Is.EqualTo(isGuarded));

    [Test]
    [Category("S14")]
    public async Task S14_a_name_that_led_elsewhere_yesterday_is_looked_at_at_every_connection()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var endPoint = new DnsEndPoint("rebound.example", ((IPEndPoint)listener.LocalEndpoint).Port);
        var answers = new Queue<IPAddress[]>([[IPAddress.Loopback], [IPAddress.Parse("169.254.169.254")], [IPAddress.Parse("169.254.169.254"), IPAddress.Loopback]]);
        var connector = new UpstreamConnector(allowsLinkLocal: false, (_, _) => Task.FromResult(answers.Dequeue()));
        await (await connector.ConnectAsync(endPoint, CancellationToken.None)).DisposeAsync();
        Assert.That(async () => await connector.ConnectAsync(endPoint, CancellationToken.None), Throws.TypeOf<GuardedAddressException>());
        await (await connector.ConnectAsync(endPoint, CancellationToken.None)).DisposeAsync();
        Assert.That(answers, Is.Empty);
    }

    [Test]
    public async Task Of_several_addresses_the_next_is_tried_and_what_the_last_says_is_told()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var endPoint = new DnsEndPoint("several.example", ((IPEndPoint)listener.LocalEndpoint).Port);
        var answers = new Queue<IPAddress[]>([[IPAddress.Parse("127.0.0.2"), IPAddress.IPv6Loopback, IPAddress.Loopback], [IPAddress.Parse("127.0.0.2"), IPAddress.Parse("127.0.0.3")]]);
        var connector = new UpstreamConnector(allowsLinkLocal: false, (_, _) => Task.FromResult(answers.Dequeue()));
        await (await connector.ConnectAsync(endPoint, CancellationToken.None)).DisposeAsync();
        Assert.That(async () => await connector.ConnectAsync(endPoint, CancellationToken.None), Throws.InstanceOf<SocketException>());
    }

    [Test]
    [Category("S14")]
    public void S14_with_the_permission_a_guarded_address_is_asked()
    {
        var connector = new UpstreamConnector(allowsLinkLocal: true, (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse("169.254.255.255")]));

        // Given up in the moment in which it would really be asked: nobody knows what answers there.
        Assert.That(
            async () => await connector.ConnectAsync(new DnsEndPoint("meant.example", 9), new CancellationToken(canceled: true)),
            Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    [Category("S14")]
    public async Task S14_what_a_request_names_is_never_asked()
    {
        ScriptedUpstream elsewhere = NewUpstream("127.0.0.2");
        string url = elsewhere.Url.ToString();
        await StartAsync();
        RawResponse response = await PostAsync(
            Chat.Request(more: $$$""","base_url":"{{{url}}}","api_base":"{{{url}}}","custom_host":"{{{url}}}","parts":[{"type":"image_url","image_url":{"url":"{{{url}}}/x.png"}}]"""),
            ChatPath + "?api_base=" + url,
            $"x-upstream-url: {url}", $"x-llmproxy-url: {url}", $"OpenAI-Base-Url: {url}", $"X-Forwarded-Host: {elsewhere.EndPoint}", $"x-portkey-custom-host: {url}");
        Assert.That(response.Status, Is.EqualTo(200));
        Assert.That(elsewhere.ConnectionCount, Is.Zero);
        Assert.That(Upstream.Request.Text, Does.Contain(url), "it is the model's to make something of it");
        ExpectUpstreamRequests(1);
    }

    [TestCase("HTTP/1.1 200 O", TestName = "U09_half_a_status_line_is_a_502", Category = "U09")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Type: applica", TestName = "U09_half_a_head_is_a_502", Category = "U09")]
    [TestCase("<html>HTTP/0.9</html>", TestName = "U09_an_answer_of_HTTP_0.9_is_a_502", Category = "U09")]
    [TestCase("\u0015\u0003\u0001\u0000\u0002\u0002\u0046", TestName = "U09_a_TLS_alert_is_a_502", Category = "U09")]
    [TestCase("HTTP/1.1 2000 OK\r\n\r\n", TestName = "U09_a_status_of_four_digits_is_a_502", Category = "U09")]
    [TestCase("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", TestName = "U09_another_protocol_is_a_502", Category = "U09")]
    public async Task NoHttp(string answer)
    {
        Upstream.Otherwise(async exchange =>
        {
            await exchange.SendAsync(Encoding.Latin1.GetBytes(answer));
            exchange.Close();
        });
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(stream: true)), 502, code: null);
        Assert.That((await RecordAsync()).Blame, Is.EqualTo("upstream"));
        ExpectUpstreamRequests(1);
    }

    private static TestCaseData Row(string what, Func<Func<NetworkStream, Task<Stream>>?> greet) =>
        new TestCaseData(greet).SetName($"U04_{what}_is_a_502").SetCategory("U04");

    /// <summary>Connects until the kernel takes no more.</summary>
    internal static async Task<Socket[]> FillAsync(IPEndPoint endPoint)
    {
        var sockets = new List<Socket>();
        bool isFull = false;
        while (!isFull)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            sockets.Add(socket);
            Task connecting = socket.ConnectAsync(endPoint);
            // On loopback a connection that the kernel has room for is there at once; one that is not is only not accepted, which takes
            // minutes. Told apart wrongly, there is one more place than was thought, and the test that needs none says so.
            isFull = await Task.WhenAny(connecting, Task.Delay(250)) != connecting;
            _ = connecting.ContinueWith(static done => done.Exception, TaskScheduler.Default);
        }

        return [.. sockets];
    }
}
