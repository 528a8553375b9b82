using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Core.Configuration;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.Support;

/// <summary>A proxy that keeps a ledger, in a store in memory; the first model has a price of 1 and 2 dollars for a thousand tokens.</summary>
public abstract class LedgerFixture : ProxyFixture
{
    protected MemoryLedgerStore Store { get; private set; } = null!;

    /// <summary>Where rows wait.</summary>
    protected string JournalPath { get; private set; } = null!;

    [SetUp]
    public void KeepALedger()
    {
        InProcessOnly("its store is in this process");
        Store = new MemoryLedgerStore();
        JournalPath = Directory.CreateTempSubdirectory("llmproxy-journal-").FullName;
        Setup.Options.Prices["main/*"] = new PriceOptions { Input = 1_000, Output = 2_000 };
        Setup.Services = services => services
            .AddSingleton<ILedgerStore>(Store)
            .AddLlmProxyLedger(ledger => ledger.Directory = JournalPath);
    }

    /// <summary>Not before: a proxy that runs makes files there.</summary>
    protected override void RemoveFiles()
    {
        if (JournalPath is not null)
        {
            Directory.Delete(JournalPath, recursive: true);
        }
    }

    /// <summary>Waits for so many rows.</summary>
    protected async Task<IReadOnlyList<LedgerRow>> RowsAsync(int count)
    {
        await Deadline.Until(() => Store.Rows.Count >= count, what: $"{count} rows");
        Assert.That(Store.Rows, Has.Count.EqualTo(count));
        return Store.Rows;
    }

    protected async Task<LedgerRow> RowAsync() => (await RowsAsync(1))[0];
}
