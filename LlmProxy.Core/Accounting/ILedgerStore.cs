namespace LlmProxy.Core.Accounting;

/// <summary>
/// Keeps the ledger: one row for each admitted request. Register one in DI. Rows come from one background writer, in batches, out of
/// a journal on disk: no request waits, and nothing is lost while the store is away.
/// </summary>
/// <remarks>Any method may throw; a batch is then offered again. More than one instance may write.</remarks>
public interface ILedgerStore
{
    /// <summary>
    /// Adds rows and, in the same transaction, what they cost to the spend of their windows (<see cref="LedgerRow.Charges()"/>). A row
    /// whose id is there already changes nothing, neither itself nor any spend.
    /// </summary>
    /// <exception cref="LedgerRowRefusedException">
    /// One of the rows can never be taken as it is; none was. They are then offered one by one, and each that is refused by itself is put
    /// aside in a file, so that it does not keep all others waiting. Any other exception says that the store is away.
    /// </exception>
    ValueTask WriteAsync(IReadOnlyList<LedgerRow> rows, CancellationToken cancellationToken);

    /// <summary>What has been spent in some windows, of all who spent anything.</summary>
    /// <param name="windows">For example <c>2026-11-25</c>, <c>2026-11</c>, <c>total</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<IReadOnlyList<Spend>> ReadSpendAsync(IReadOnlyCollection<string> windows, CancellationToken cancellationToken);

    /// <summary>Adds up rows.</summary>
    ValueTask<IReadOnlyList<UsageTotal>> SumAsync(UsageQuery query, CancellationToken cancellationToken);

    /// <summary>The rows themselves, by time and id.</summary>
    IAsyncEnumerable<LedgerRow> ReadAsync(UsageQuery query, CancellationToken cancellationToken);

    /// <summary>
    /// Puts other costs in place of those that rows have, and moves the spend of their windows by the difference; that of budgets that
    /// an <see cref="Admission.ILimitStore"/> shares out as well, for nobody else tells it.
    /// </summary>
    /// <returns>How many rows were changed.</returns>
    ValueTask<int> RepriceAsync(IReadOnlyList<CostChange> changes, CancellationToken cancellationToken);

    /// <summary>Takes an end user's name out of all rows and forgets what that user has spent; the rows stay, with their cost.</summary>
    /// <returns>How many rows were changed.</returns>
    ValueTask<int> EraseEndUserAsync(string endUser, CancellationToken cancellationToken);

    /// <summary>Deletes rows that began before then; spend stays as it is.</summary>
    /// <returns>How many rows were deleted.</returns>
    ValueTask<int> DeleteBeforeAsync(DateTimeOffset before, CancellationToken cancellationToken);
}

/// <summary>What somebody has spent in a window.</summary>
/// <param name="Meter">Whose: <c>key/ID</c>, <c>group/NAME</c> or <c>user/GROUP/NAME</c>.</param>
/// <param name="Window">A day (<c>2026-11-25</c>), a month (<c>2026-11</c>) or <c>total</c>.</param>
/// <param name="Cost">US dollars.</param>
public readonly record struct Spend(string Meter, string Window, decimal Cost);

/// <param name="Id">Of the row.</param>
/// <param name="Cost">US dollars; null: it has no price.</param>
public readonly record struct CostChange(string Id, decimal? Cost);
