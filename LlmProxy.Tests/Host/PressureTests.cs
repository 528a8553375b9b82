using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>Little memory, and many connections at once.</summary>
internal sealed class PressureTests : HostTest
{
    private const string Key = "sk-a-key-of-a-client-0123456789";
    private const int Mega = 1 << 20;

    private const string Listen = "\"Listen\": { \"Api\": \"http://127.0.0.1:0\" },";

    [Test]
    [Category("P25")]
    public async Task P25_short_of_memory_it_sheds_with_503_lives_on_and_starts_anew_after_a_crash()
    {
        const int Clients = 24;
        await using var upstream = new ScriptedUpstream();
        var gate = new TaskCompletionSource();
        upstream.Otherwise(async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await Replies.LikeOpenAI(exchange);
        });
        await WriteAsync("llmproxy.json", Configuration(upstream.Url.ToString(), Key, Listen));

        // 192 MiB, a third of what the clients send together.
        var variables = Variables(("DOTNET_GCHeapHardLimit", "C000000"));
        var host = await Start(variables).StartedAsync();
        using var client = host.Client(Key);
        var body = Encoding.ASCII.GetBytes("{\"model\":\"small\",\"user\":\"" + new string('x', 24 * Mega) + "\"}");
        var answers = Enumerable.Range(0, Clients).Select(_ => SendAsync(host, body)).ToArray();

        // All that had no room are told so while the others are held.
        await Deadline.Until(() => answers.Count(static a => a.IsCompleted) + upstream.Requests.Count >= Clients, TimeSpan.FromSeconds(60), "every client is in or refused");
        Assert.That(await client.GetStringAsync("/healthz"), Is.EqualTo("ok\n"));
        gate.SetResult();
        var statuses = await Task.WhenAll(answers);
        await TestContext.Out.WriteLineAsync(string.Join(", ", statuses.GroupBy(static s => s).Select(static g => $"{g.Key}: {g.Count()}")));
        Assert.That(statuses, Is.All.AnyOf(200, 503, 0));
        Assert.That(statuses, Does.Contain(503).And.Contain(200));
        using (var small = await PostAsync(client, "/v1/chat/completions", "{\"model\":\"small\"}"))
        {
            Assert.That(small.StatusCode, Is.EqualTo(HttpStatusCode.OK), "it lives on");
        }

        Assert.That(host.People, Does.Not.Contain("OutOfMemory").And.Not.Contain("Unhandled"));
        await host.SignalAsync("KILL");
        Assert.That(await host.ExitedAsync(), Is.Not.Zero);
        var again = await Start(variables).StartedAsync();
        using var next = again.Client(Key);
        using var answer = await PostAsync(next, "/v1/chat/completions", "{\"model\":\"small\"}");
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await again.StoppedAsync(), Is.Zero);
    }

    [TestCase(false, 2000, TestName = "L03_two_thousand_connections_at_once_are_all_served_by_few_threads", Category = "L03")]
    [TestCase(true, 500, TestName = "L03_five_hundred_connections_with_TLS_at_once_are_all_served_by_few_threads", Category = "L03")]
    [Category("Large")]
    public async Task Storm(bool tls, int count)
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Ignore("Threads are counted as Linux tells them.");
        }

        using var authority = new Authority();
        using var certificate = authority.Sign("localhost");
        using var key = certificate.GetECDsaPrivateKey()!;
        await WriteAsync("tls.pem", certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n");
        await WriteAsync("llmproxy.json", Configuration(
            "http://127.0.0.1:9/v1", Key, tls ? "\"Listen\": { \"Api\": \"https://127.0.0.1:0\", \"Certificate\": \"tls.pem\" }," : Listen));
        var host = await Start().StartedAsync();
        var port = new Uri(host.Address).Port;
        using (await ConnectAsync(port, tls))
        {
            // Whatever the first connection needs is there.
        }

        var before = host.Threads;
        var most = before;
        using var watching = new CancellationTokenSource();
        var watch = WatchAsync();
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        var connections = await Task.WhenAll(Enumerable.Range(0, count).Select(_ => ConnectAsync(port, tls)));
        var took = System.Diagnostics.Stopwatch.GetElapsedTime(started);
        await watching.CancelAsync();
        await watch;
        Array.ForEach(connections, static connection => connection.Dispose());
        await TestContext.Out.WriteLineAsync($"{count} connections, each with a request, in {took.TotalSeconds:0.00} s: {count / took.TotalSeconds:0} a second; threads {before}, at most {most}");
        Assert.That(most, Is.LessThanOrEqualTo(before + 24), "threads do not grow with connections");
        Assert.That(took, Is.LessThan(Deadline.Default), "accepting keeps up");
        Assert.That(host.People, Does.Not.Contain("Unhandled"));

        async Task WatchAsync()
        {
            while (!watching.IsCancellationRequested)
            {
                most = Math.Max(most, host.Threads);
                await Task.Delay(20);
            }
        }
    }

    /// <summary>A connection on which one request was answered.</summary>
    private static async Task<Stream> ConnectAsync(int port, bool tls)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        Stream stream = new NetworkStream(socket, ownsSocket: true);
        if (tls)
        {
            var secure = new SslStream(stream, false, static (_, certificate, _, _) => certificate is not null);
            await secure.AuthenticateAsClientAsync("localhost");
            stream = secure;
        }

        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {Key}\r\n\r\n"));
        var buffer = new byte[4096];
        var length = await stream.ReadAtLeastAsync(buffer, 12);
        Assert.That(Encoding.ASCII.GetString(buffer, 0, length), Does.StartWith("HTTP/1.1 200"));
        return stream;
    }

    /// <returns>The status; 0 if the connection was closed on what was still being sent.</returns>
    private static async Task<int> SendAsync(HostProcess host, byte[] body)
    {
        await using var client = await host.ConnectAsync();
        try
        {
            await client.SendAsync(RawClient.Request("POST", "/v1/chat/completions", body, "Authorization: Bearer " + Key, "Content-Type: application/json"));
        }
        catch (IOException)
        {
            // It was refused before it was all there; the answer may have come all the same.
        }

        try
        {
            return (await client.ReadAsync()).Status;
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
