using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>How many requests are served at one time, whoever sends them.</summary>
public sealed class ConcurrentRequestTests : ProxyFixture
{
    [Test]
    public async Task Of_many_at_once_exactly_so_many_are_served_as_may_be_and_who_is_refused_keeps_nobody_out()
    {
        const int Most = 20;
        const int Sent = 60;
        const int Rounds = 10;
        var gate = new TaskCompletionSource();
        Setup.Options.Limits.Concurrent = Most;
        Upstream.Otherwise(async exchange =>
        {
            await gate.Task;
            await Replies.LikeOpenAI(exchange);
        });
        ExpectUpstreamRequests(Rounds * Most);
        await StartAsync();
        var request = RawClient.Request("POST", ChatPath, System.Text.Encoding.UTF8.GetBytes(Chat.Request()), Authorization, "Content-Type: application/json");
        RawClient[] clients = await Task.WhenAll(Enumerable.Range(0, Sent).Select(_ => ConnectAsync()));

        for (int round = 1; round <= Rounds; round++)
        {
            gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Task<RawResponse>[] asked = [.. clients.Select(client => Task.Run(async () =>
            {
                await client.SendAsync(request);
                return await client.ReadAsync();
            }))];
            await Deadline.Until(() => asked.Count(static a => a.IsCompleted) == Sent - Most && Upstream.Requests.Count == round * Most, what: $"{Most} upstream, the others refused");
            foreach (Task<RawResponse> refused in asked.Where(static a => a.IsCompleted))
            {
                Contract.AssertError(await refused, 503, "overloaded");
            }

            gate.SetResult();
            RawResponse[] answers = await Deadline.In(Task.WhenAll(asked));
            Assert.That(answers.Count(static a => a.Status == 200), Is.EqualTo(Most));

            // A place is free when its request has ended, which its client may know before.
            await Deadline.Until(() => Proxy.Records.Count == round * Sent, what: "the end of all");
        }
    }
}
