using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Who leaves a call that others share takes nothing from them.</summary>
public sealed class CoalescingLeaverTests : CoalescingFixture
{
    [Test]
    public async Task A_first_who_leaves_does_not_end_the_answer_of_the_others_and_one_of_them_answers_for_it()
    {
        Upstream.Next(Gated(Chat.Role(), Chat.Delta("Hel")));
        await StartAsync();
        string request = Chat.Request(stream: true, more: Zero);
        RawClient first = await SendJsonAsync(request);
        await (await first.ReadHeadAsync()).ReadUntilAsync("Hel");
        RawResponse second = await (await (await SendJsonAsync(request)).ReadHeadAsync()).ReadUntilAsync("Hel");
        await first.DisposeAsync();
        RecordView left = await RecordAsync();
        Gate.SetResult();
        Contract.AssertWhole(await second.ReadToEndAsync(), Sse.Whole(Chat.Role(), Chat.Delta("Hel"), Chat.Delta("lo"), Chat.Finish()));
        await Deadline.Until(() => Proxy.Records.Count == 2);
        RecordView stayed = Proxy.Records.Single(r => r.Id != left.Id);
        Assert.That((left.End, left.CoalescedWith), Is.EqualTo(("client_disconnect", stayed.Id)));
        Assert.That((stayed.End, stayed.CoalescedWith), Is.EqualTo(("ok", (string?)null)));
        Assert.That(Upstream.Requests, Has.Count.EqualTo(1));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task The_upstream_is_let_go_when_the_last_has_gone(bool hasBegun)
    {
        var closed = new TaskCompletionSource();
        Upstream.Next(async exchange =>
        {
            if (hasBegun)
            {
                await exchange.StreamHeadAsync();
                await exchange.EventsAsync(Chat.Delta("Hel"));
            }

            await exchange.PeerClosed;
            closed.SetResult();
        });
        await StartAsync();
        string request = Chat.Request(stream: true, more: Zero);
        RawClient first = await SendJsonAsync(request);
        RawClient second = await SendJsonAsync(request);
        await PartsAsync(2);
        await Upstream.WaitForAsync();
        if (hasBegun)
        {
            await (await first.ReadHeadAsync()).ReadUntilAsync("Hel");
            await (await second.ReadHeadAsync()).ReadUntilAsync("Hel");
        }

        await first.DisposeAsync();
        await PartsAsync(1);
        Assert.That(closed.Task.IsCompleted, Is.False);
        await second.DisposeAsync();
        await Deadline.In(closed.Task);
        await Deadline.Until(() => Proxy.Records.Count(r => r.End == "client_disconnect") == 2);
    }

    [Test]
    public async Task How_long_a_first_waits_ends_nobody_else_s_call()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Upstream.Next(Gated(Replies.LikeOpenAI));
        await StartAsync();
        Task<RawResponse> hasty = PostAsync(Embedding, EmbeddingsPath, "x-stainless-timeout: 8");
        await PartsAsync(1);
        Task<RawResponse> patient = PostAsync(Embedding, EmbeddingsPath, "x-stainless-timeout: 600");
        await PartsAsync(2);
        await Upstream.WaitForAsync();
        await clock.AdvanceUntilAsync(hasty, TimeSpan.FromMilliseconds(100), momentMs: 10, most: 200);
        Contract.AssertError(await hasty, 504, "upstream_timeout");
        Gate.SetResult();
        Assert.That((await Deadline.In(patient)).Status, Is.EqualTo(200));
        Assert.That(Upstream.Requests, Has.Count.EqualTo(1));
    }
}
