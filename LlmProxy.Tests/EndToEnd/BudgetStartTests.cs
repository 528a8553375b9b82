using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
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
    [Category("P10")]
    public async Task P10_a_start_waits_for_a_store_that_hangs_by_the_clock_of_the_app_and_then_goes_on()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        var gate = new TaskCompletionSource();
        Store.Before = () => gate.Task;
        Task starting = StartAsync();

        // Longer than it waits: only the app's own clock counts.
        await Task.WhenAny(starting, Task.Delay(TimeSpan.FromSeconds(4)));
        Assert.That(starting.IsCompleted, Is.False);
        await clock.AdvanceUntilAsync(starting, TimeSpan.FromSeconds(1), most: 10);
        await starting;
        Contract.AssertError(await PostAsync(s_request), 503, "budget_unavailable");
        gate.SetResult();
        await Deadline.Until(() => App.Services.GetRequiredService<Meters>().IsSpendKnown, what: "the store's answer");
        ExpectUpstreamRequests(0);
    }

    [Test]
    [Category("P10")]
    public async Task P10_an_answer_that_breaks_is_told_asked_for_again_and_counted_once()
    {
        AllowErrorLogs("the store's answer cannot be read");
        await StartAsync();
        Assert.That(((await PostAsync(s_request)).Status, (await PostAsync(s_request)).Status), Is.EqualTo((200, 200)));
        await RowsAsync(2);
        await Proxy.DisposeAsync();

        int asked = 0;
        bool breaks = true;
        Store.Spends = spends => ++asked > 0 && Volatile.Read(ref breaks) ? new BrokenList(spends[0]) : spends;
        await StartAsync();
        await Deadline.Until(() => asked > 1, what: "the store to be asked again");
        Contract.AssertError(await PostAsync(s_request), 503, "budget_unavailable");
        Volatile.Write(ref breaks, false);
        await Deadline.Until(() => App.Services.GetRequiredService<Meters>().IsSpendKnown, what: "an answer that is whole");
        Assert.That(Proxy.ErrorLines.Count(), Is.EqualTo(1), "told once");
        RawResponse refused = await PostAsync(s_request);
        Assert.That(refused.Text, Does.Contain("0.066 of 0.10 USD are used"));
        // With the looks at both clients' connections when the test has ended.
        ExpectRecords(4);
        ExpectUpstreamRequests(2);
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

    private sealed class BrokenList(Spend first) : IReadOnlyList<Spend>
    {
        public int Count => 2;

        public Spend this[int index] => index == 0 ? first : throw new IOException("the connection broke");

        public IEnumerator<Spend> GetEnumerator()
        {
            yield return this[0];
            yield return this[1];
        }

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
