using System.Diagnostics;
using LlmProxy.Core.Requests;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Code of the app that blocks a thread.</summary>
public sealed class StarvationTests : ProxyFixture
{
    private const int Blocked = 4;
    private const int Rounds = 5;

    [Test]
    [Category("L05")]
    public async Task L05_requests_go_on_while_others_block_their_threads()
    {
        using var filter = new BlockingFilter();
        Setup.Services = services => services.AddSingleton<IRequestFilter>(filter);
        await StartAsync();
        TimeSpan alone = await Slowest99Async();
        var blocked = new List<RawClient>();
        for (int i = 0; i < Blocked; i++)
        {
            blocked.Add(await SendJsonAsync(Chat.Request(more: ",\"user\":\"block\"")));
        }

        await Deadline.Until(() => filter.Waiting == blocked.Count, what: "all of them are blocked");
        // On a machine that has much else to do, what it takes without them is the measure. The runtime puts a thread in the place
        // of one that blocks about twice a second, and takes it away again: a round may meet that, but not every round.
        TimeSpan most = TimeSpan.FromMilliseconds(100);
        TimeSpan bound = 2 * alone > most ? 2 * alone : most;
        TimeSpan beside = TimeSpan.MaxValue;
        int rounds = 0;
        while (beside >= bound && rounds < Rounds)
        {
            TimeSpan round = await Slowest99Async();
            beside = round < beside ? round : beside;
            rounds++;
        }

        Assert.That(filter.Waiting, Is.EqualTo(blocked.Count), "nobody had to wait for those that block");
        Assert.That(beside, Is.LessThan(bound));
        filter.Release();
        foreach (RawClient client in blocked)
        {
            Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        }

        ExpectUpstreamRequests(Blocked + (100 * (1 + rounds)));
    }

    /// <summary>The 99th of 100 requests, one after another.</summary>
    private async Task<TimeSpan> Slowest99Async()
    {
        var times = new List<TimeSpan>();
        for (int i = 0; i < 100; i++)
        {
            long started = Stopwatch.GetTimestamp();
            Assert.That((await PostAsync(Chat.Request(stream: true))).Status, Is.EqualTo(200));
            times.Add(Stopwatch.GetElapsedTime(started));
        }

        return times.Order().ElementAt(98);
    }

    private sealed class BlockingFilter : IRequestFilter, IDisposable
    {
        private readonly ManualResetEventSlim _gate = new(false);
        private int _waiting;

        public int Waiting => Volatile.Read(ref _waiting);

        public ValueTask InvokeAsync(LlmRequest request, CancellationToken cancellationToken)
        {
            if (System.Text.EncodingExtensions.GetString(System.Text.Encoding.UTF8, request.Body).Contains("\"block\"", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref _waiting);
                _gate.Wait(cancellationToken);
                Interlocked.Decrement(ref _waiting);
            }

            return ValueTask.CompletedTask;
        }

        public void Release() => _gate.Set();

        public void Dispose() => _gate.Dispose();
    }
}
