using System.Runtime.CompilerServices;
using LlmProxy.Core.Accounting;

namespace LlmProxy.Host.Stores;

/// <summary>
/// Rows of a ledger a page at a time: a reader that takes its time holds neither a connection nor a view of the database, for which
/// that would have to keep what it could do away with.
/// </summary>
internal static class LedgerPages
{
    /// <param name="query">How many at the most.</param>
    /// <param name="step">How long a page is.</param>
    /// <param name="read">Reads the page behind a row, which is null for the first, of so many rows at the most.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async IAsyncEnumerable<LedgerRow> ReadAsync(
        UsageQuery query, int step, Func<LedgerRow?, int, Task<List<LedgerRow>>> read, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var left = query.Limit > 0 ? query.Limit : int.MaxValue;
        LedgerRow? last = null;
        while (left > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var most = Math.Min(step, left);
            var page = await read(last, most);
            foreach (var row in page)
            {
                yield return row;
            }

            if (page.Count < most)
            {
                break;
            }

            (last, left) = (page[^1], left - page.Count);
        }
    }
}
