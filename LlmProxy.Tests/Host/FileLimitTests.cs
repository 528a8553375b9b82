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
    public async Task A_soft_limit_is_raised_as_far_as_it_goes()
    {
        var host = await Keep(HostProcess.StartAfter("ulimit -Hn 8592; ulimit -Sn 256", Folder)).StartedAsync();
        Assert.That(host.People, Does.Not.Contain("open files"));
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
