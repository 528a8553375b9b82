using System.Text;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Host;

/// <summary>Memory that many requests at once have taken goes back to the system by itself.</summary>
internal sealed class QuietMomentTests : HostTest
{
    private const string Key = "sk-a-key-of-a-client-0123456789";
    private const int Streams = 1_500;
    private const int AtOnce = 50;

    // Three quiet seconds and a collection, on a machine that has much else to do.
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(40);

    [Test]
    [Platform("Linux")]
    public async Task What_a_burst_leaves_behind_is_given_back_once_it_is_quiet()
    {
        using var upstream = new IdleUpstream();
        await WriteAsync("llmproxy.json", Configuration(upstream.Url.ToString(), Key, "\"Listen\": { \"Api\": \"http://127.0.0.1:0\" },"));
        var host = await Start().StartedAsync();
        var request = RawClient.Request(
            "POST", "/v1/chat/completions", Encoding.UTF8.GetBytes(Chat.Request(stream: true, model: "small")), "Authorization: Bearer " + Key, "Content-Type: application/json");
        await (await BeginAsync()).DisposeAsync();
        var before = host.ResidentMemory;
        var clients = new List<RawClient>();
        for (var i = 0; i < Streams; i += AtOnce)
        {
            clients.AddRange(await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => BeginAsync())));
        }

        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }

        await Deadline.Until(() => upstream.Open == 0, what: "all streams to be over");
        var after = host.ResidentMemory;
        var least = after;
        var isGiven = await Deadline.TryUntil(() => (least = Math.Min(least, host.ResidentMemory)) < after - ((after - before) / 3), _patience);
        await TestContext.Out.WriteLineAsync($"{before >> 10} KiB before, {after >> 10} KiB after {Streams} streams, {least >> 10} KiB at least since");
        Assert.That(isGiven, "a third of what the burst has taken is given back");

        async Task<RawClient> BeginAsync()
        {
            var client = await host.ConnectAsync();
            await client.SendAsync(request);
            await (await client.ReadHeadAsync()).ReadUntilAsync("Hel");
            return client;
        }
    }
}
