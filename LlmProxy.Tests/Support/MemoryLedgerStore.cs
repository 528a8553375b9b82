using LlmProxy.Core.Accounting;

namespace LlmProxy.Tests.Support;

/// <summary>A ledger's store in memory: what any other must do, in the simplest way. A test may take it away.</summary>
public sealed class MemoryLedgerStore : ILedgerStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LedgerRow> _rows = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Meter, string Window), decimal> _spend = [];

    /// <summary>What every call does first: throws, or waits.</summary>
    public Func<Task> Before { get; set; } = () => Task.CompletedTask;

    /// <summary>What is the matter with a row that is never taken; null: nothing.</summary>
    public Func<LedgerRow, string?> Refuses { get; set; } = _ => null;

    /// <summary>What is answered instead of the spend that there is.</summary>
    public Func<IReadOnlyList<Spend>, IReadOnlyList<Spend>> Spends { get; set; } = spends => spends;

    /// <summary>Calls of <see cref="WriteAsync"/> that came through.</summary>
    public int Writes { get; private set; }

    public IReadOnlyList<LedgerRow> Rows
    {
        get
        {
            lock (_lock)
            {
                return [.. _rows.Values.OrderBy(row => row.Id, StringComparer.Ordinal)];
            }
        }
    }

    public async ValueTask WriteAsync(IReadOnlyList<LedgerRow> rows, CancellationToken cancellationToken)
    {
        await Before();
        if (rows.Select(Refuses).FirstOrDefault(why => why is not null) is { } refusal)
        {
            throw new LedgerRowRefusedException(refusal);
        }

        lock (_lock)
        {
            Writes++;
            foreach (LedgerRow row in rows)
            {
                if (_rows.TryAdd(row.Id, row))
                {
                    Add(row.Charges());
                }
            }
        }
    }

    public async ValueTask<IReadOnlyList<Spend>> ReadSpendAsync(IReadOnlyCollection<string> windows, CancellationToken cancellationToken)
    {
        await Before();
        lock (_lock)
        {
            return Spends([.. _spend.Where(one => windows.Contains(one.Key.Window)).Select(one => new Spend(one.Key.Meter, one.Key.Window, one.Value))]);
        }
    }

    public async ValueTask<IReadOnlyList<UsageTotal>> SumAsync(UsageQuery query, CancellationToken cancellationToken)
    {
        await Before();
        if (query.By.Count == 0 && !Rows.Any(row => Fits(row, query)))
        {
            return [new UsageTotal { Key = [] }];
        }

        return
        [
            .. Rows.Where(row => Fits(row, query))
                .GroupBy(row => string.Join('\n', query.By.Select(by => KeyOf(row, by, query.Bucket))))
                .Select(group => new UsageTotal
                {
                    Key = [.. query.By.Select(by => KeyOf(group.First(), by, query.Bucket))],
                    Requests = group.Count(),
                    Failed = group.Count(row => row.End != "ok"),
                    Input = group.Sum(row => (row.InputTokens ?? 0) - (row.CachedInputTokens ?? 0) - (row.CacheWriteTokens ?? 0)),
                    Cached = group.Sum(row => row.CachedInputTokens ?? 0),
                    Written = group.Sum(row => row.CacheWriteTokens ?? 0),
                    Output = group.Sum(row => row.OutputTokens ?? 0),
                    Cost = group.Sum(row => row.Cost ?? 0),
                    OperatorCost = group.Sum(row => row.OperatorCost),
                    Unpriced = group.Count(row => row.Cost is null && (row.InputTokens ?? 0) + (row.OutputTokens ?? 0) > 0),
                    Estimated = group.Count(row => row.UsageSource == "estimate"),
                })
                .OrderBy(total => string.Join('\n', total.Key), StringComparer.Ordinal)
                .Take(query.Limit > 0 ? query.Limit : int.MaxValue),
        ];
    }

    public async IAsyncEnumerable<LedgerRow> ReadAsync(
        UsageQuery query, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Before();
        foreach (LedgerRow row in Rows.Where(row => Fits(row, query)).OrderBy(row => row.Started).ThenBy(row => row.Id, StringComparer.Ordinal).Take(query.Limit > 0 ? query.Limit : int.MaxValue))
        {
            yield return row;
        }
    }

    public async ValueTask<int> RepriceAsync(IReadOnlyList<CostChange> changes, CancellationToken cancellationToken)
    {
        await Before();
        lock (_lock)
        {
            int changed = 0;
            foreach (CostChange change in changes)
            {
                if (_rows.TryGetValue(change.Id, out LedgerRow? row) && row.Cost != change.Cost)
                {
                    Add(row.Charges((change.Cost ?? 0) - (row.Cost ?? 0)));
                    _rows[change.Id] = row with { Cost = change.Cost };
                    changed++;
                }
            }

            return changed;
        }
    }

    public async ValueTask<int> EraseEndUserAsync(string endUser, CancellationToken cancellationToken)
    {
        await Before();
        lock (_lock)
        {
            LedgerRow[] rows = [.. _rows.Values.Where(row => row.EndUser == endUser)];
            foreach (LedgerRow row in rows)
            {
                _rows[row.Id] = row with { EndUser = null };
                foreach (var key in _spend.Keys.Where(key => key.Meter == LedgerRow.MeterOf(row.Group ?? "", endUser)).ToArray())
                {
                    _spend.Remove(key);
                }
            }

            return rows.Length;
        }
    }

    public async ValueTask<int> DeleteBeforeAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        await Before();
        lock (_lock)
        {
            string[] ids = [.. _rows.Values.Where(row => row.Started < before).Select(row => row.Id)];
            return ids.Count(_rows.Remove);
        }
    }

    private void Add(IEnumerable<Spend> charges)
    {
        foreach (Spend one in charges)
        {
            _spend[(one.Meter, one.Window)] = _spend.GetValueOrDefault((one.Meter, one.Window)) + one.Cost;
        }
    }

    private static bool Fits(LedgerRow row, UsageQuery query) =>
        (query.Since is not { } since || row.Started >= since)
        && (query.Until is not { } until || row.Started < until)
        && (query.Keys.Count == 0 || query.Keys.Contains(row.Key) || query.Keys.Contains(row.KeyName))
        && (query.Groups.Count == 0 || query.Groups.Contains(row.Group))
        && (query.Models.Count == 0 || query.Models.Contains(row.Model))
        && (query.Upstreams.Count == 0 || query.Upstreams.Contains(row.Upstream))
        && (query.EndUsers.Count == 0 || query.EndUsers.Contains(row.EndUser));

    private static string? KeyOf(LedgerRow row, UsageKey by, UsageBucket bucket) => by switch
    {
        UsageKey.Key => row.KeyName,
        UsageKey.Group => row.Group,
        UsageKey.EndUser => row.EndUser,
        UsageKey.Model => row.Model,
        UsageKey.Upstream => row.Upstream,
        _ => row.Started.UtcDateTime.ToString(
            bucket switch { UsageBucket.Hour => "yyyy-MM-ddTHH:00:00Z", UsageBucket.Day => "yyyy-MM-ddT00:00:00Z", _ => "yyyy-MM-01T00:00:00Z" },
            System.Globalization.CultureInfo.InvariantCulture),
    };
}
