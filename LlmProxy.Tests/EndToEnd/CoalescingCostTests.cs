using LlmProxy.Core.Accounting;
using LlmProxy.Core.Forwarding;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>A call that several share is paid for once, whoever leaves it when.</summary>
public sealed class CoalescingCostTests : LedgerFixture
{
    private static readonly string s_request = Chat.Request(stream: true, more: ",\"temperature\":0");

    [SetUp]
    public void Share() => Setup.Mini.Coalesce = true;

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public async Task Who_leaves_last_before_anything_was_said_pays_for_the_prompt(int clients)
    {
        Upstream.Next(exchange => exchange.StallAsync());
        await StartAsync();
        var leaving = new List<RawClient>();
        for (int i = 0; i < clients; i++)
        {
            leaving.Add(await SendJsonAsync(s_request));
            await PartsAsync(i + 1);
        }

        await Upstream.WaitForAsync();
        string[] before = [];
        for (int i = 0; i < clients; i++)
        {
            before = [.. Store.Rows.Select(row => row.Id)];
            await leaving[i].DisposeAsync();
            await RowsAsync(i + 1);
        }

        // By what came last: ids of one millisecond are in no order.
        AssertPaidOnce("client_disconnect", Store.Rows.Single(row => !before.Contains(row.Id)));
    }

    [Test]
    public async Task Who_waits_no_longer_than_it_said_leaves_like_any_other()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Upstream.Next(exchange => exchange.StallAsync());
        await StartAsync();
        Task<RawResponse> first = PostAsync(s_request, ChatPath, "x-stainless-timeout: 5");
        await PartsAsync(1);
        Task<RawResponse> second = PostAsync(s_request, ChatPath, "x-stainless-timeout: 10");
        await PartsAsync(2);
        await Upstream.WaitForAsync();
        await clock.AdvanceUntilAsync(Task.WhenAll(first, second), TimeSpan.FromSeconds(1));
        await clock.AdvanceUntilAsync(() => Store.Rows.Count == 2, TimeSpan.FromMilliseconds(100));
        AssertPaidOnce("upstream_timeout", Store.Rows.MaxBy(row => row.Duration)!);
    }

    [Test]
    public async Task Of_a_whole_answer_and_one_that_was_left_the_whole_one_is_paid_for()
    {
        var gate = new TaskCompletionSource();
        Upstream.Next(Replies.StreamThen([Chat.Role(), Chat.Delta("Hel")], async exchange =>
        {
            await exchange.PauseAsync(gate.Task);
            await exchange.EventsAsync(Chat.Delta("lo"), Chat.Finish(), Chat.Usage(), "[DONE]");
            await exchange.LastChunkAsync();
        }));
        await StartAsync();
        RawClient first = await SendJsonAsync(s_request);
        await (await first.ReadHeadAsync()).ReadUntilAsync("Hel");
        RawResponse second = await (await (await SendJsonAsync(s_request)).ReadHeadAsync()).ReadUntilAsync("Hel");
        await first.DisposeAsync();
        await RowsAsync(1);
        gate.SetResult();
        await second.ReadToEndAsync();
        await RowsAsync(2);
        LedgerRow payer = Store.Rows.Single(row => row.CoalescedWith is null);
        Assert.That((payer.End, payer.Cost, payer.UsageSource), Is.EqualTo(("ok", (decimal?)0.033m, "upstream")));
        Assert.That(Store.Rows.Sum(row => row.Cost), Is.EqualTo(0.033m));
    }

    private Task PartsAsync(int count) => Deadline.Until(() => App.Services.GetRequiredService<Coalescing>().Parts == count, what: $"{count} requests in a call");

    private void AssertPaidOnce(string end, LedgerRow payer)
    {
        Assert.That(Store.Rows.Select(row => row.End), Is.All.EqualTo(end));
        Assert.That((payer.CoalescedWith, payer.UsageSource, payer.Upstream, payer.OutputTokens), Is.EqualTo(((string?)null, "estimate", "main", (long?)0)));
        Assert.That(payer.Cost, Is.GreaterThan(0));
        Assert.That(Store.Rows.Where(row => row != payer).Select(row => (row.Cost, row.CoalescedWith is not null)), Is.All.EqualTo(((decimal?)0m, true)));
        Assert.That(Upstream.Requests, Has.Count.EqualTo(1));
    }
}
