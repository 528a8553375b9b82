using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Admission;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What an operator does with the ledger.</summary>
public sealed class UsageServiceTests : LedgerFixture
{
    private LlmProxyUsage Usage => App.Services.GetRequiredService<LlmProxyUsage>();

    [Test]
    public async Task A_wrong_price_is_put_right_from_what_the_upstream_wrote()
    {
        Setup.IsFromFile = true;
        Upstream.Next(Replies.Json(200, Chat.Completion("Hi")));
        Upstream.Next(Replies.Json(200, Chat.Completion("Hi").Replace("\"total_tokens\":21", "\"prompt_tokens_details\":{\"cached_tokens\":4}", StringComparison.Ordinal)));
        Upstream.Next(Replies.Json(500, Chat.Error("boom")));
        await StartAsync();
        for (int i = 0; i < 3; i++)
        {
            await PostAsync(Chat.Request());
        }

        await RowsAsync(3);
        Setup.Options.Prices["main/*"] = new PriceOptions { Input = 10_000, CachedInput = 1_000, Output = 0 };
        await ReloadAsync(2);

        Repricing trial = await Usage.RepriceAsync(new UsageQuery(), isTrial: true, CancellationToken.None);
        Assert.That(Store.Rows.Sum(row => row.Cost), Is.EqualTo(0.066m), "a trial changes nothing");
        Repricing done = await Usage.RepriceAsync(new UsageQuery(), isTrial: false, CancellationToken.None);

        Assert.That(done, Is.EqualTo(new Repricing(3, 2, 0, 0.066m, 0.09m + 0.054m)));
        Assert.That(trial, Is.EqualTo(done));
        Assert.That(Store.Rows.Select(row => row.Cost), Is.EquivalentTo(new decimal?[] { 0.09m, 0.054m, 0m }));
        IReadOnlyList<Spend> spend = await Store.ReadSpendAsync(["total"], CancellationToken.None);
        Assert.That(spend.Single(), Is.EqualTo(new Spend("key/tester", "total", 0.144m)));
        Assert.That((await Usage.RepriceAsync(new UsageQuery(), isTrial: false, CancellationToken.None)).Changed, Is.Zero);
    }

    /// <summary>The store that shares them out has done that: told by a replica as well, the difference would count twice.</summary>
    [Test]
    public async Task Prices_that_are_put_right_are_no_use_of_a_replica_that_shares_its_limits()
    {
        Setup.IsFromFile = true;
        Setup.Options.Keys["tester"].Budget = new BudgetOptions { Month = 10 };
        Action<IServiceCollection> services = Setup.Services!;
        Setup.Services = all =>
        {
            services(all);
            all.AddSingleton<ILimitStore>(new MemoryLimitStore(TimeProvider.System));
        };
        await StartAsync();
        using CancellationTokenSource deadline = Deadline.Source();
        while ((await PostAsync(Chat.Request())).Status != 200)
        {
            // What it asked the store for comes a moment later on a busy machine.
            deadline.Token.ThrowIfCancellationRequested();
        }

        await RowsAsync(1);
        Setup.Options.Prices["main/*"].Input = 3_000;
        await ReloadAsync(2);
        await Usage.RepriceAsync(new UsageQuery(), isTrial: false, CancellationToken.None);
        Assert.That(App.Services.GetRequiredService<LlmProxyLimits>().OfKey("tester").Single().Used, Is.EqualTo(0.033m));
    }

    /// <summary>What they add to each window is all that is kept of rows, however many they are.</summary>
    [Test]
    public async Task Many_rows_move_each_window_once()
    {
        await Store.WriteAsync([.. Enumerable.Range(0, 20_000).Select(static i => new LedgerRow
        {
            Id = $"{i:D6}", Started = DateTimeOffset.UnixEpoch, Operation = "chat", Key = "tester", KeyName = "tester", Model = "gpt-4o-mini", Upstream = "main", UpstreamModel = "m",
            End = "ok", UsageSource = "upstream", InputTokens = 1, OutputTokens = 0, Cost = 0, KeyDay = new DateOnly(2025, 1, 1), GroupDay = new DateOnly(2025, 1, 1),
            Group = "team", EndUser = "anna",
        })], CancellationToken.None);
        await StartAsync();
        var (calls, kept, before) = (0, 0L, GC.GetTotalMemory(forceFullCollection: true));
        Store.Before = () =>
        {
            kept = ++calls == 2 ? GC.GetTotalMemory(forceFullCollection: true) - before : kept;
            return Task.CompletedTask;
        };
        Repricing done = await Usage.RepriceAsync(new UsageQuery(), isTrial: false, CancellationToken.None);
        Assert.That((done.Changed, done.After), Is.EqualTo((20_000L, 20m)));
        Assert.That(calls, Is.GreaterThanOrEqualTo(2));
        Assert.That(kept, Is.LessThan(8 << 20), "when all are read and the first are about to be changed");
        Meters meters = App.Services.GetRequiredService<Meters>();
        Assert.That(meters.Find("user/team/anna")!.Look(Dimension.Total, meters.Now().At(Calendar.Utc)).Taken, Is.EqualTo(Money.FromDollars(20)));
    }

    [Test]
    public async Task A_row_whose_model_has_no_price_any_more_keeps_its_cost()
    {
        Setup.IsFromFile = true;
        await StartAsync();
        await PostAsync(Chat.Request());
        await RowAsync();
        Setup.Options.Prices.Clear();
        await ReloadAsync(2);
        Assert.That(await Usage.RepriceAsync(new UsageQuery(), isTrial: false, CancellationToken.None), Is.EqualTo(new Repricing(1, 0, 1, 0.033m, 0.033m)));
    }

    [Test]
    public async Task An_end_user_is_erased_from_rows_that_still_wait_as_well()
    {
        Setup.Options.Groups["chat"] = new GroupOptions { EndUser = new EndUserOptions { Header = "X-User" } };
        Setup.Options.Keys["tester"].Group = "chat";
        var gate = new TaskCompletionSource();
        Store.Before = () => gate.Task;
        await StartAsync();
        await PostAsync(Chat.Request(), ChatPath, "X-User: anna@example.com");
        await PostAsync(Chat.Request(), ChatPath, "X-User: bert@example.com");
        Assert.That(Usage.WaitingRows, Is.EqualTo(2));
        ValueTask<int> erasing = Usage.EraseEndUserAsync("anna@example.com", CancellationToken.None);
        gate.SetResult();
        Assert.That(await erasing, Is.EqualTo(1));
        Assert.That(Store.Rows.Select(row => row.EndUser), Is.EquivalentTo(new[] { null, "bert@example.com" }));
        Assert.That((await Store.ReadSpendAsync(["total"], CancellationToken.None)).Select(s => s.Meter), Does.Not.Contain("user/chat/anna@example.com"));
    }

    [Test]
    public async Task Sums_are_those_of_the_rows()
    {
        await StartAsync();
        await PostAsync(Chat.Request());
        await PostAsync(Chat.Request(stream: true));
        await Usage.FlushAsync(CancellationToken.None);
        UsageTotal total = (await Usage.SumAsync(new UsageQuery { By = [UsageKey.Model] }, CancellationToken.None)).Single();
        Assert.That((total.Key[0], total.Requests, total.Input, total.Output, total.Cost), Is.EqualTo(("gpt-4o-mini", 2L, 18L, 24L, 0.066m)));
        Assert.That(Usage.WaitingRows, Is.Zero);
    }
}
