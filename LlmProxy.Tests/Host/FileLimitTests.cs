using System.Net;
using System.Net.Sockets;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>The number of connections is held to what the limit of open files has room for.</summary>
internal sealed class FileLimitTests : HostTest
{
    private const string Key = "sk-a-key-of-a-client-0123456789";
    private const int Room = (512 - 200) / 2;

    [SetUp]
    public async Task ConfigureAsync()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Ignore("The limit is read as Linux tells it.");
        }

        await WriteAsync("llmproxy.json", Configuration("http://127.0.0.1:9/v1", Key, "\"Listen\": { \"Api\": \"http://127.0.0.1:0\", \"Admin\": \"http://127.0.0.1:0\" },"));
    }

    [Test]
    public async Task Connections_without_room_are_closed_at_once_and_those_that_are_in_go_on()
    {
        var host = await Keep(HostProcess.StartAfter("ulimit -n 512", Folder)).StartedAsync();
        Assert.That(host.People, Does.Contain($"The limit of 512 open files leaves room for {Room} connections").And.Contain("LimitNOFILE=65536"));
        using var client = host.Client(Key);
        await client.GetStringAsync("/healthz");

        var sockets = new List<Socket>();
        var port = new Uri(host.Address).Port;
        for (var i = 0; i < Room + 300; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            sockets.Add(socket);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, port);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
            {
                // Closed at once indeed.
            }
        }

        await host.SaysAsync($"Connections are closed at once: {Room} are open");
        await Support.Deadline.Until(() => sockets.Count(IsClosed) == 301, what: "the connections above the limit to be closed");
        Assert.That(await client.GetStringAsync("/v1/models"), Does.Contain("small"), "over the connection that is in");
        using var admin = new HttpClient { BaseAddress = new Uri((await host.SaysAsync(@"^  Admin  (http\S+)/metrics$")).Groups[1].Value) };
        Assert.That(await admin.GetStringAsync("/healthz"), Is.EqualTo("ok\n"), "the admin's port has room");

        sockets.ForEach(static socket => socket.Dispose());
        using var again = host.Client(Key);
        await Support.Deadline.Until(() => Answers(again).GetAwaiter().GetResult(), what: "room for a new connection");
    }

    [Test]
    public async Task Requests_without_room_on_connections_that_carry_many_are_told_to_come_back()
    {
        const int Most = 200;
        await using var upstream = new Support.ScriptedUpstream();
        upstream.Otherwise(Support.Replies.Silence);
        var certificate = await WriteCertificateAsync();
        await WriteAsync(
            "llmproxy.json",
            Configuration(upstream.Url.ToString(), Key, "\"Listen\": { \"Api\": \"https://127.0.0.1:0\", \"Certificate\": \"tls.pem\" },"));
        var host = await Keep(HostProcess.StartAfter("ulimit -n 512", Folder)).StartedAsync();
        using var client = new HttpClient(new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            SslOptions = new System.Net.Security.SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, seen, _, _) => seen?.GetCertHashString() == certificate },
        })
        { BaseAddress = new Uri(host.Address), Timeout = TimeSpan.FromMinutes(1) };

        var asked = Enumerable.Range(0, Most).Select(_ => AskAsync(client)).ToArray();
        await Support.Deadline.Until(() => upstream.OpenConnections == Room && asked.Count(static a => a.IsCompleted) == Most - Room, what: "as many upstream as there is room for");
        foreach (var refused in asked.Where(static a => a.IsCompleted))
        {
            using var response = await refused;
            Assert.That((response.Version.Major, (int)response.StatusCode, response.Headers.RetryAfter?.ToString()), Is.EqualTo((2, 503, "1")));
            Assert.That(await response.Content.ReadAsStringAsync(), Does.Contain("\"code\":\"overloaded\""));
        }

        client.CancelPendingRequests();
        await Support.Deadline.Until(() => upstream.OpenConnections == 0, what: "all of them are given up");
    }

    [Test]
    public async Task A_soft_limit_is_raised_as_far_as_it_goes()
    {
        var host = await Keep(HostProcess.StartAfter("ulimit -Hn 8592; ulimit -Sn 256", Folder)).StartedAsync();
        Assert.That(host.People, Does.Not.Contain("open files"));
    }

    /// <summary>To grow it later makes every stream wait.</summary>
    [TestCase(2048, 2048)]
    [TestCase(17_000, 16 * 1024)]
    public async Task The_table_of_open_files_has_its_room_from_the_start(int limit, long room)
    {
        var hard = File.ReadLines("/proc/self/limits").First(static l => l.StartsWith("Max open files", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[4];
        if (int.TryParse(hard, out var most) && most < limit)
        {
            Assert.Ignore($"No more than {most} files may be open here.");
        }

        var host = await Keep(HostProcess.StartAfter($"ulimit -n {limit}", Folder)).StartedAsync();
        await Support.Deadline.Until(() => host.FileRoom == room, what: "the room");
    }

    private static Task<HttpResponseMessage> AskAsync(HttpClient client)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent("{\"model\":\"small\"}", System.Text.Encoding.UTF8, "application/json"),
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Add("Authorization", "Bearer " + Key);
        return client.SendAsync(request);
    }

    /// <returns>By what it is known.</returns>
    private async Task<string> WriteCertificateAsync()
    {
        using var authority = new Support.Authority();
        using var certificate = authority.Sign("localhost");
        using var key = System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions.GetECDsaPrivateKey(certificate)!;
        await WriteAsync("tls.pem", certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n");
        return certificate.GetCertHashString();
    }

    private static bool IsClosed(Socket socket) => !socket.Connected || socket.Poll(0, SelectMode.SelectRead);

    private static async Task<bool> Answers(HttpClient client)
    {
        try
        {
            return await client.GetStringAsync("/healthz") == "ok\n";
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
