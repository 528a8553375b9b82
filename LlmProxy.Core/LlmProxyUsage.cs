using LlmProxy.Core.Accounting;
using LlmProxy.Core.Admission;
using LlmProxy.Core.Protocol;

namespace LlmProxy.Core;

/// <summary>Reads the ledger and puts it right: for an app's own pages, an admin API, a command line. Resolve it from DI.</summary>
/// <remarks>Each method asks the <see cref="ILedgerStore"/>, and throws what that throws; without one there is nothing to read.</remarks>
public sealed class LlmProxyUsage
{
    private const int BatchSize = 500;

    private readonly ILedgerStore? _store;
    private readonly Ledger _ledger;
    private readonly LlmProxySnapshots _snapshots;
    private readonly Meters _meters;

    internal LlmProxyUsage(ILedgerStore? store, Ledger ledger, LlmProxySnapshots snapshots, Meters meters) =>
        (_store, _ledger, _snapshots, _meters) = (store, ledger, snapshots, meters);

    /// <summary>A ledger is kept.</summary>
    public bool IsOn => _ledger.IsOn;

    /// <summary>Rows of this process that its store does not have yet; what is read does not have them either.</summary>
    public long WaitingRows => _ledger.WaitingRows;

    /// <summary>Waits until the store has all rows that there are now.</summary>
    public Task FlushAsync(CancellationToken cancellationToken) => _ledger.FlushAsync(cancellationToken);

    /// <summary>Adds up rows.</summary>
    public ValueTask<IReadOnlyList<UsageTotal>> SumAsync(UsageQuery query, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        return _store is null ? new ValueTask<IReadOnlyList<UsageTotal>>([]) : _store.SumAsync(query, cancellationToken);
    }

    /// <summary>The rows themselves, by time and id.</summary>
    public IAsyncEnumerable<LedgerRow> ReadAsync(UsageQuery query, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        return _store is null ? AsyncEnumerable.Empty<LedgerRow>() : _store.ReadAsync(query, cancellationToken);
    }

    /// <summary>
    /// Works the cost of rows out anew, by the prices that are in force now and the usage as each upstream wrote it; what keys, groups
    /// and end users have spent in the store moves by the difference. Rows whose model has no price now stay as they are.
    /// </summary>
    /// <param name="query">Which rows.</param>
    /// <param name="isTrial">Nothing is changed; it is only said what would be.</param>
    /// <param name="cancellationToken">Ends it; what was changed stays changed.</param>
    public async ValueTask<Repricing> RepriceAsync(UsageQuery query, bool isTrial, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        var sum = new Repricing(0, 0, 0, 0, 0);
        if (_store is null)
        {
            return sum;
        }

        // Read first, then changed: a store need not read and write at one time.
        var changes = new List<CostChange>();
        var moved = new Dictionary<(string Meter, string Window), decimal>();
        await foreach (var row in _store.ReadAsync(query, cancellationToken))
        {
            var cost = CostOf(row, out var hasPrice);
            var isChanged = hasPrice && cost != row.Cost;
            sum = new Repricing(
                sum.Rows + 1, sum.Changed + (isChanged ? 1 : 0), sum.Unpriced + (hasPrice ? 0 : 1),
                sum.Before + (row.Cost ?? 0), sum.After + ((hasPrice ? cost : row.Cost) ?? 0));
            if (isChanged)
            {
                changes.Add(new CostChange(row.Id, cost));
                foreach (var spend in row.Charges((cost ?? 0) - (row.Cost ?? 0)))
                {
                    moved[(spend.Meter, spend.Window)] = moved.GetValueOrDefault((spend.Meter, spend.Window)) + spend.Cost;
                }
            }
        }

        for (var i = 0; !isTrial && i < changes.Count; i += BatchSize)
        {
            await _store.RepriceAsync(changes.GetRange(i, Math.Min(BatchSize, changes.Count - i)), cancellationToken);
        }

        // Budgets go on from what the store has now. Those that are shared are moved where they are shared: every replica would tell of
        // the difference, or, where it has no part in one, none.
        if (!isTrial && _meters.Sharing is null)
        {
            foreach (var ((meter, window), cost) in moved)
            {
                _meters.Add(meter, window, cost);
            }
        }

        return sum;
    }

    /// <summary>
    /// Takes an end user's name out of all rows, those that still wait or were refused included, and forgets what that user has spent. What
    /// other processes still have in journals of their own comes to the store later, with the name: ask again then.
    /// </summary>
    /// <returns>How many rows were changed.</returns>
    public async ValueTask<int> EraseEndUserAsync(string endUser, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(endUser);
        if (_store is null)
        {
            return 0;
        }

        var refused = await _ledger.EraseEndUserAsync(endUser, cancellationToken);
        return refused + await _store.EraseEndUserAsync(endUser, cancellationToken);
    }

    private decimal? CostOf(LedgerRow row, out bool hasPrice)
    {
        // What used nothing, and what another request pays for, costs nothing at any price.
        hasPrice = true;
        if (row.UsageSource == "none" || row.CoalescedWith is not null || row.Upstream is null || row.UpstreamModel is null)
        {
            return row.Cost;
        }

        if (_snapshots.Current.Routes.PriceOf(row.Model, row.Upstream, row.UpstreamModel) is not { } price)
        {
            hasPrice = false;
            return null;
        }

        return price.CostOf(UsageOf(row), row.ServiceTier);
    }

    private static Usage UsageOf(LedgerRow row)
    {
        var counted = new Usage(row.InputTokens ?? -1, row.CachedInputTokens ?? -1, row.OutputTokens ?? -1)
        {
            WrittenInput = row.CacheWriteTokens ?? -1,
            WrittenForHour = row.CacheWrite1hTokens ?? -1,
        };
        if (row.RawUsage is null || !UsageReader.TryRead(System.Text.Encoding.UTF8.GetBytes(row.RawUsage), out var raw))
        {
            return counted;
        }

        // Of an answer that was cut off the upstream had told a part: the rest is as it was estimated.
        return row.UsageSource == "estimate" ? raw with { Output = counted.Output, Input = raw.Input >= 0 ? raw.Input : counted.Input } : raw;
    }
}

/// <summary>What came of working costs out anew.</summary>
/// <param name="Rows">That were looked at.</param>
/// <param name="Changed">Whose cost is another.</param>
/// <param name="Unpriced">Whose model has no price now; they stay as they are.</param>
/// <param name="Before">US dollars of all of them before.</param>
/// <param name="After">And after.</param>
public readonly record struct Repricing(long Rows, long Changed, long Unpriced, decimal Before, decimal After);
