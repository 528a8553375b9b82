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

    /// <summary>So many that some are forgotten while they are read; what is over for all others is not over for a budget for ever.</summary>
    [Test]
    public async Task What_end_users_spent_of_a_budget_for_ever_is_spent_however_many_they_are_and_however_long_ago()
    {
        Setup.Options.Groups["chat/eu"] = new GroupOptions { EndUser = new EndUserOptions { Header = "X-User", Budget = new BudgetOptions { Total = 0.5m } } };
        Setup.Options.Keys["tester"].Group = "chat/eu";
        Setup.Options.Keys["tester"].Budget = null;
        await Store.WriteAsync([.. Enumerable.Range(0, 9_000).Select(i => Spent($"u{i}", "gone")), .. Enumerable.Range(0, 21_000).Select(i => Spent($"u{i}", "chat/eu"))], CancellationToken.None);
        await StartAsync();
        foreach (string user in new[] { "u0", "u10000", "u20999" })
        {
            Contract.AssertError(await PostAsync(s_request, ChatPath, "X-User: " + user), 429, "insufficient_quota");
        }

        Assert.That((await PostAsync(s_request, ChatPath, "X-User: new")).Status, Is.EqualTo(200));
        Assert.That(App.Services.GetRequiredService<Meters>().Count, Is.LessThan(22_000), "others are forgotten");

        static LedgerRow Spent(string user, string group) => new()
        {
            Id = group + user,
            Started = DateTimeOffset.UnixEpoch,
            Operation = "chat",
            Key = "former",
            KeyName = "former",
            Group = group,
            EndUser = user,
            Model = "m",
            End = "ok",
            UsageSource = "upstream",
            Cost = 0.5m,
            KeyDay = new DateOnly(2025, 1, 1),
            GroupDay = new DateOnly(2025, 1, 1),
        };
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
