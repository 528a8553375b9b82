using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What a request costs beside its answer is the operator's; what several share is paid once.</summary>
public sealed class SideCostTests : CoalescingFixture
{
    private MemoryLedgerStore _store = null!;
    private string _journal = "";

    [SetUp]
    public void KeepALedger()
    {
        _store = new MemoryLedgerStore();
        _journal = Directory.CreateTempSubdirectory("llmproxy-journal-").FullName;
        Setup.Options.Prices["main/*"] = new PriceOptions { Input = 1_000, Output = 2_000 };
        Setup.Options.Prices["second/*"] = new PriceOptions { Input = 10_000, Output = 20_000 };
        Setup.Services = services => services.AddSingleton<ILedgerStore>(_store).AddLlmProxyLedger(ledger => ledger.Directory = _journal);
    }

    protected override void RemoveFiles()
    {
        // A test that is skipped has none.
        if (_journal.Length > 0)
        {
            Directory.Delete(_journal, recursive: true);
        }
    }

    [Test]
    public async Task Who_shares_anothers_call_pays_nothing_and_names_who_does()
    {
        Upstream.Next(Gated(Replies.LikeOpenAI));
        ExpectUpstreamRequests(1);
        await StartAsync();
        Task<RawResponse>[] answers = [.. Enumerable.Range(0, 5).Select(_ => PostAsync(Chat.Request(more: Zero)))];
        await PartsAsync(5);
        Gate.SetResult();
        await Task.WhenAll(answers);

        IReadOnlyList<LedgerRow> rows = await RowsAsync(5);
        LedgerRow leader = rows.Single(row => row.CoalescedWith is null);
        LedgerRow[] others = [.. rows.Where(row => row != leader)];
        using (Assert.EnterMultipleScope())
        {
            Assert.That((leader.Cost, leader.InputTokens), Is.EqualTo(((decimal?)0.033m, (long?)9)));
            Assert.That(others.Select(row => (row.Cost, row.InputTokens, row.UsageSource, row.CoalescedWith)), Is.All.EqualTo(((decimal?)0m, (long?)null, "none", leader.Id)));
        }
    }

    [Test]
    public async Task A_copy_for_a_mirror_is_paid_by_the_operator()
    {
        ScriptedUpstream second = NewUpstream();
        Setup.Options.Upstreams["second"] = ProxySetup.Upstream(second.Url);
        Setup.Mini.Coalesce = false;
        Setup.Mini.Mirror = new MirrorOptions { Target = new TargetOptions { Upstream = "second", Model = "copy" } };
        ExpectUpstreamRequests(2);
        await StartAsync();
        await PostAsync(Chat.Request());
        LedgerRow row = (await RowsAsync(1))[0];
        Assert.That((row.Cost, row.OperatorCost), Is.EqualTo(((decimal?)0.033m, 0.33m)));
        await second.WaitForAsync();
    }

    [Test]
    public async Task A_hedge_that_lost_is_paid_by_the_operator()
    {
        ScriptedUpstream second = NewUpstream();
        Setup.Options.Upstreams["second"] = ProxySetup.Upstream(second.Url);
        Setup.Mini.Coalesce = false;
        Setup.Mini.Targets.Add(new TargetOptions { Upstream = "second", Model = "second-mini" });
        Setup.Mini.Hedge = new HedgeOptions { After = TimeSpan.FromMilliseconds(1), BudgetPercent = 100 };
        second.Otherwise(exchange => exchange.StallAsync());
        Upstream.Next(async exchange =>
        {
            await second.WaitForAsync();
            await Replies.LikeOpenAI(exchange);
        });
        ExpectUpstreamRequests(2);
        await StartAsync();
        await PostAsync(Chat.Request());
        LedgerRow row = (await RowsAsync(1))[0];
        Assert.That((row.Cost, row.Upstream), Is.EqualTo(((decimal?)0.033m, "main")));
        Assert.That(row.OperatorCost, Is.InRange(0.2m, 0.5m), "it has read the prompt, at ten times the price");
    }

    private async Task<IReadOnlyList<LedgerRow>> RowsAsync(int count)
    {
        await Deadline.Until(() => _store.Rows.Count >= count, what: $"{count} rows");
        return _store.Rows;
    }
}
