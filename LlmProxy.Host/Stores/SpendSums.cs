using LlmProxy.Core.Accounting;

namespace LlmProxy.Host.Stores;

/// <summary>
/// What rows add to the spend of their windows, added up, so that a batch touches each window once; and always in the same order, so
/// that two replicas never wait for each other in a circle.
/// </summary>
internal sealed class SpendSums
{
    // By caller and day first: those are few, and each stands for up to nine windows whose names would have to be made for every row.
    private readonly Dictionary<(string Key, string? Group, string? EndUser, DateOnly KeyDay, DateOnly GroupDay), (LedgerRow Row, decimal Cost)> _sums = [];

    // Of rows one after another, whose caller is looked up once.
    private LedgerRow? _last;
    private decimal _cost;

    public bool IsEmpty => _last is null && _sums.Count == 0;

    /// <summary>In the order in which they are to be written. The end user is that of a user's own window, else null.</summary>
    public IEnumerable<(string Meter, string Window, decimal Cost, string? EndUser)> All
    {
        get
        {
            AddLast();
            var windows = new SortedDictionary<(string Meter, string Window), (decimal Cost, string? EndUser)>(
                Comparer<(string Meter, string Window)>.Create(static (a, b) =>
                    string.CompareOrdinal(a.Meter, b.Meter) is not 0 and var order ? order : string.CompareOrdinal(a.Window, b.Window)));
            foreach (var (row, cost) in _sums.Values)
            {
                var ofUser = row.EndUser is null ? null : LedgerRow.MeterOf(row.Group ?? "", row.EndUser);
                foreach (var charge in row.Charges(cost))
                {
                    var key = (StoredText.Of(charge.Meter), charge.Window);
                    windows.TryGetValue(key, out var sum);
                    windows[key] = (sum.Cost + charge.Cost, charge.Meter == ofUser ? StoredText.Of(row.EndUser!) : null);
                }
            }

            return windows.Select(static one => (one.Key.Meter, one.Key.Window, one.Value.Cost, one.Value.EndUser));
        }
    }

    /// <param name="row">Whose windows.</param>
    /// <param name="cost">Its cost, or by how much that has changed.</param>
    public void Add(LedgerRow row, decimal cost)
    {
        if (cost == 0)
        {
            return;
        }

        if (_last is null || !IsSameCaller(_last, row))
        {
            AddLast();
            _last = row;
        }

        _cost += cost;
    }

    /// <summary>By their texts' places: a row from the journal shares those that are the same in the row before.</summary>
    private static bool IsSameCaller(LedgerRow one, LedgerRow other) =>
        ReferenceEquals(one.Key, other.Key) && ReferenceEquals(one.Group, other.Group) && ReferenceEquals(one.EndUser, other.EndUser)
        && one.KeyDay == other.KeyDay && one.GroupDay == other.GroupDay;

    private void AddLast()
    {
        if (_last is not { } row)
        {
            return;
        }

        var caller = (row.Key, row.Group, row.EndUser, row.KeyDay, row.GroupDay);
        _sums.TryGetValue(caller, out var sum);
        _sums[caller] = (row, sum.Cost + _cost);
        (_last, _cost) = (null, 0);
    }
}
