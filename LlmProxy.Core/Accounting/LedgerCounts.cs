using System.Diagnostics.Metrics;

namespace LlmProxy.Core.Accounting;

/// <summary>What becomes of rows of the ledger that does not go as it should.</summary>
internal sealed class LedgerCounts
{
    private long _lost;
    private long _dropped;
    private long _refused;
    private Func<long> _waiting = static () => 0;

    /// <summary>A row found no place.</summary>
    public void Lost() => Interlocked.Increment(ref _lost);

    /// <summary>Something in a journal could not be read.</summary>
    public void Dropped() => Interlocked.Increment(ref _dropped);

    /// <summary>The store will not have a row; it is in a file.</summary>
    public void Refused() => Interlocked.Increment(ref _refused);

    /// <param name="waiting">Says how many rows the store does not have yet.</param>
    public void Observe(Func<long> waiting) => Volatile.Write(ref _waiting, waiting);

    public void CreateIn(Meter meter)
    {
        meter.CreateObservableGauge(
            MetricNames.LedgerWaiting, () => Volatile.Read(ref _waiting)(), "{row}", "Rows of the ledger that its store does not have yet.");
        meter.CreateObservableCounter(
            MetricNames.LedgerLost, () => Interlocked.Read(ref _lost), "{row}", "Rows of the ledger that found no room in the journal.");
        meter.CreateObservableCounter(
            MetricNames.LedgerDropped, () => Interlocked.Read(ref _dropped), "{file}", "Files of the journal that could not be read whole.");
        meter.CreateObservableCounter(
            MetricNames.LedgerRefused, () => Interlocked.Read(ref _refused), "{row}", "Rows of the ledger that its store would not take; they are in a file.");
    }
}
