using LlmProxy.Core.Accounting;

namespace LlmProxy.Host.Stores;

/// <summary>
/// What rows add to the spend of their windows, added up, so that a batch touches each window once; and always in the same order, so
/// that two replicas never wait for each other in a circle.
/// </summary>
internal sealed class SpendSums
{
    private readonly SortedDictionary<(string Meter, string Window), (decimal Cost, string? EndUser)> _sums =
        new(Comparer<(string Meter, string Window)>.Create(static (a, b) =>
            string.CompareOrdinal(a.Meter, b.Meter) is not 0 and var order ? order : string.CompareOrdinal(a.Window, b.Window)));

    public bool IsEmpty => _sums.Count == 0;

    /// <summary>In the order in which they are to be written. The end user is that of a user's own window, else null.</summary>
    public IEnumerable<(string Meter, string Window, decimal Cost, string? EndUser)> All =>
        _sums.Select(static s => (s.Key.Meter, s.Key.Window, s.Value.Cost, s.Value.EndUser));

    /// <param name="row">Whose windows.</param>
    /// <param name="cost">Its cost, or by how much that has changed.</param>
    public void Add(LedgerRow row, decimal cost)
    {
        if (cost == 0)
        {
            return;
        }

        var ofUser = row.EndUser is null ? null : $"user/{row.Group}/{row.EndUser}";
        foreach (var charge in row.Charges(cost))
        {
            var key = (StoredText.Of(charge.Meter), charge.Window);
            _sums.TryGetValue(key, out var sum);
            _sums[key] = (sum.Cost + charge.Cost, charge.Meter == ofUser ? StoredText.Of(row.EndUser!) : null);
        }
    }
}
