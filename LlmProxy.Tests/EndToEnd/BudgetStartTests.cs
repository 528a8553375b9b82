using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Budgets go on where the ledger says. An answer of the upstream costs 0.033 dollars.</summary>
public sealed class BudgetStartTests : LedgerFixture
{
    private static readonly string s_request = Chat.Request(more: ",\"max_tokens\":12");

    [SetUp]
    public void SetBudget() => Setup.Options.Keys["tester"].Budget = new BudgetOptions { Month = 0.1m };

    [Test]
    public async Task What_was_spent_before_a_restart_is_spent()
    {
        await StartAsync();
        Assert.That(((await PostAsync(s_request)).Status, (await PostAsync(s_request)).Status), Is.EqualTo((200, 200)));
        await RowsAsync(2);
        await Proxy.DisposeAsync();

        await StartAsync();
        RawResponse refused = await PostAsync(s_request);
        Contract.AssertError(refused, 429, "insufficient_quota");
        Assert.That(refused.Text, Does.Contain("0.066 of 0.10 USD are used"));
        ExpectRecords(2);
        ExpectUpstreamRequests(2);
    }

    [Test]
    [Category("P10")]
    public async Task P10_while_nobody_knows_what_was_spent_who_has_a_budget_waits_and_others_do_not()
    {
        AllowErrorLogs("the store is away");
        Store.Before = () => Task.FromException(new IOException("away"));
        await StartAsync();
        RawResponse refused = await PostAsync(s_request);
        Contract.AssertError(refused, 503, "budget_unavailable");
        Assert.That(refused.Headers["Retry-After"], Is.EqualTo("1"));
        RawResponse other = await (await SendAsync(RawClient.Request(
            "POST", ChatPath, System.Text.Encoding.UTF8.GetBytes(s_request), ["Authorization: Bearer " + Canary.OtherClientKey, "Content-Type: application/json"]))).ReadAsync();
        Assert.That(other.Status, Is.EqualTo(200));
        Store.Before = () => Task.CompletedTask;
        await Deadline.Until(() => App.Services.GetRequiredService<Meters>().IsSpendKnown, what: "the store to be asked again");
        Assert.That((await PostAsync(s_request)).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Prices_that_are_put_right_move_budgets_at_once()
    {
        Setup.IsFromFile = true;
        await StartAsync();
        await PostAsync(s_request);
        await RowsAsync(1);
        Setup.Options.Prices["main/*"].Input = 3_000;
        await ReloadAsync(2);
        var usage = App.Services.GetRequiredService<LlmProxyUsage>();
        var limits = App.Services.GetRequiredService<LlmProxyLimits>();
        await usage.RepriceAsync(new UsageQuery(), isTrial: true, CancellationToken.None);
        Assert.That(limits.OfKey("tester").Single().Used, Is.EqualTo(0.033m));
        await usage.RepriceAsync(new UsageQuery(), isTrial: false, CancellationToken.None);
        Assert.That(limits.OfKey("tester").Single().Used, Is.EqualTo(0.051m));
    }
}
