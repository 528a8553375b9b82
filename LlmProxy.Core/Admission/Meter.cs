using System.Runtime.CompilerServices;

namespace LlmProxy.Core.Admission;

/// <summary>
/// What one key, group or end user has taken of every limit. It belongs to who it is and not to a configuration: a reload changes the
/// limits that it is compared with and nothing of what it holds.
/// </summary>
/// <param name="name">As in the ledger: <c>key/ID</c>, <c>group/NAME</c> or <c>user/GROUP/NAME</c>.</param>
/// <param name="sharing">With other replicas; null where there are none.</param>
internal sealed partial class Meter(string name, LimitSharing? sharing = null)
{
    // In one piece: with many keys most of what a request costs here is waiting for memory.
    private RecentModels _answers;
    private RateWindows _rates;
    private Pots _pots;
    private Slice?[]? _slices;

    // Requests that have set something aside here and have not ended.
    private int _open;

    // An end user without a budget for ever is not kept for what was spent in months that are over.
    private bool _keepsTotal = !name.StartsWith(UserMeters.Prefix, StringComparison.Ordinal);

    public string Name { get; } = name;

    /// <summary>
    /// Takes its turn, which is held while anything of it is looked at. Who needs those of several takes a key's first, then its group's,
    /// then a user's. It is the object's own lock, and not one beside it, which would be one more place in memory to wait for.
    /// </summary>
    public void Enter() => Monitor.Enter(this);

    public void Exit() => Monitor.Exit(this);

    /// <summary>
    /// Has the processor fetch all of it at once. Nothing that comes behind the lock is looked at before it is taken, and what a key has
    /// is mostly in no cache: it would be waited for a second time.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public long Fetch() => LastTaken | PotOf(Dimension.Concurrent).Reserved | PotOf(Dimension.Total).Reserved;

    /// <summary>It was empty for long and nobody finds it any more: who still holds it looks for its successor.</summary>
    public bool IsForgotten { get; private set; }

    /// <summary>Of a key: how long its answers are.</summary>
    public ref RecentModels Answers => ref _answers;

    /// <summary>The second in which it was last asked for something.</summary>
    public long LastTaken { get; private set; }

    /// <summary>Is there a limit that has no room for a claim? The turn is held.</summary>
    /// <remarks>Of several that are shared and have none the first is told, and all are asked for: a request asks only once.</remarks>
    public bool IsShort(in Ceilings ceilings, in Claim claim, in Moment now, ref Shortfall shortfall)
    {
        if (sharing is not null)
        {
            return IsShortOfSlices(ceilings, claim, now, ref shortfall);
        }

        // One after the other, as they come to most limits: a loop over what they have in common asks each which it is.
        return (ceilings.HasRates && IsShortOfRates(ceilings, claim, now.Second, ref shortfall))
            || (ceilings.Has(Dimension.Concurrent) && IsShortIn(Dimension.Concurrent, 0, ceilings, 1, ref shortfall))
            || (ceilings.HasBudget && claim.Money > 0
                && ((ceilings.Has(Dimension.Day) && IsShortIn(Dimension.Day, now.Day.Number, ceilings, claim.Money, ref shortfall))
                    || (ceilings.Has(Dimension.Month) && IsShortIn(Dimension.Month, now.Day.Month, ceilings, claim.Money, ref shortfall))
                    || (ceilings.Has(Dimension.Total) && IsShortIn(Dimension.Total, 0, ceilings, claim.Money, ref shortfall))));
    }

    /// <summary>Sets a claim aside, which was found to have room. The turn is held.</summary>
    public void Take(in Ceilings ceilings, in Claim claim, in Moment now)
    {
        LastTaken = now.Second;
        _open++;
        _keepsTotal |= ceilings.Has(Dimension.Total);
        if (sharing is not null)
        {
            TakeOfSlices(ceilings, claim, now);
            return;
        }

        if (ceilings.HasRates)
        {
            _rates.Take(now.Second, ceilings.Has(Dimension.Requests) ? 1 : 0, ceilings.Has(Dimension.Tokens) ? claim.Tokens : 0);
        }

        if (ceilings.Has(Dimension.Concurrent))
        {
            PotOf(Dimension.Concurrent).Take(0, 1);
        }

        if (ceilings.Has(Dimension.Day))
        {
            PotOf(Dimension.Day).Take(now.Day.Number, claim.Money);
        }

        if (ceilings.Has(Dimension.Month))
        {
            PotOf(Dimension.Month).Take(now.Day.Month, claim.Money);
        }

        if (ceilings.Has(Dimension.Total))
        {
            PotOf(Dimension.Total).Take(0, claim.Money);
        }
    }

    /// <summary>Puts what was used in the place of what was set aside.</summary>
    /// <param name="ceilings">Those that it was taken under.</param>
    /// <param name="claim">What was taken.</param>
    /// <param name="used">What was used; its money is counted whether or not there is a budget, for there may be one tomorrow.</param>
    /// <param name="isGivenBack">The request does not count either.</param>
    /// <param name="then">When it was admitted: all of it belongs to that day.</param>
    /// <param name="second">Now.</param>
    /// <returns>False if it is forgotten: what was used is its successor's. Nothing had been set aside here, or it would not be.</returns>
    public bool TrySettle(in Ceilings ceilings, in Claim claim, in Claim used, bool isGivenBack, in Moment then, long second)
    {
        lock (this)
        {
            if (IsForgotten)
            {
                return false;
            }

            _open -= ceilings.HasAny ? 1 : 0;
            if (ceilings.Has(Dimension.Concurrent))
            {
                PotOf(Dimension.Concurrent).Settle(0, 1, 0);
            }

            if (ceilings.HasBudget || used.Money != 0)
            {
                PotOf(Dimension.Day).Settle(then.Day.Number, ceilings.Has(Dimension.Day) ? claim.Money : 0, used.Money);
                PotOf(Dimension.Month).Settle(then.Day.Month, ceilings.Has(Dimension.Month) ? claim.Money : 0, used.Money);
                PotOf(Dimension.Total).Settle(0, ceilings.Has(Dimension.Total) ? claim.Money : 0, used.Money);
            }

            if (sharing is not null)
            {
                SettleSlices(ceilings, claim, used, isGivenBack, then);
            }
            else if (ceilings.HasRates)
            {
                var requests = ceilings.Has(Dimension.Requests) && isGivenBack ? -1 : 0;
                _rates.Settle(then.Second, requests, ceilings.Has(Dimension.Tokens) ? used.Tokens - claim.Tokens : 0, second);
            }

            return true;
        }
    }

    /// <summary>Counts money of which no request here tells. Where limits are shared it is told on as though it was used here.</summary>
    /// <returns>False if it is forgotten.</returns>
    public bool TryAdd(Dimension dimension, long window, long money)
    {
        lock (this)
        {
            if (IsForgotten)
            {
                return false;
            }

            PotOf(dimension).Add(window, money);
            if (_slices?[(int)dimension] is { } slice)
            {
                sharing!.List(slice);
            }

            return true;
        }
    }

    /// <summary>What stands against a limit now, and what of that is only set aside; that by all replicas as far as it is known.</summary>
    public (long Taken, long Reserved) Look(Dimension dimension, in Moment now)
    {
        lock (this)
        {
            ref var pot = ref PotOf(dimension);
            var taken = Taken(dimension, now);
            return (_slices?[(int)dimension] is { } slice ? slice.UsedByAll(pot) + pot.Reserved : taken, pot.Reserved);
        }
    }

    /// <summary>What stands against a rate, and how many seconds until nothing does.</summary>
    public (long Taken, long Wait) LookAhead(Dimension dimension, in Instant now)
    {
        if (sharing is not null)
        {
            return (Look(dimension, now.At(Calendar.Utc)).Taken, SecondsLeft(now.Ticks));
        }

        lock (this)
        {
            return _rates.Taken(dimension, now.Second) is > 0 and var taken ? (taken, _rates.WaitFor(dimension, taken, now.Second)) : (0, 0);
        }
    }

    /// <summary>Forgets it if it holds nothing that anybody has to know.</summary>
    /// <param name="now">In the zone that is last: a day that is over there is over everywhere.</param>
    /// <param name="keepsTotal">What was spent since ever has to be known, whether or not anybody has asked for it here.</param>
    public bool TryForget(in Moment now, bool keepsTotal = false)
    {
        lock (this)
        {
            if (_open > 0 || IsExchanged())
            {
                return false;
            }

            for (var dimension = Dimension.Concurrent; dimension <= Dimension.Total; dimension++)
            {
                if ((dimension != Dimension.Total || _keepsTotal || keepsTotal) && PotOf(dimension).HoldsAt(now.WindowOf(dimension)))
                {
                    return false;
                }
            }

            return IsForgotten = _rates.IsEmpty(now.Second);
        }
    }

    private static long SecondsLeft(long ticks) => 60 - (ticks % TimeSpan.TicksPerMinute / TimeSpan.TicksPerSecond);

    private bool IsShortOfRates(in Ceilings ceilings, in Claim claim, long second, ref Shortfall shortfall)
    {
        _rates.MoveTo(second);
        return (ceilings.Has(Dimension.Requests) && IsShortOfRate(Dimension.Requests, ceilings[Dimension.Requests], 1, _rates.Requests, second, ref shortfall))
            || (ceilings.Has(Dimension.Tokens) && IsShortOfRate(Dimension.Tokens, ceilings[Dimension.Tokens], claim.Tokens, _rates.Tokens, second, ref shortfall));
    }

    private bool IsShortOfRate(Dimension dimension, long limit, long amount, long taken, long second, ref Shortfall shortfall)
    {
        if (amount <= limit - taken || amount <= 0)
        {
            return false;
        }

        shortfall = new Shortfall(dimension, limit, amount, taken, 0, _rates.WaitFor(dimension, taken + amount - limit, second));
        return true;
    }

    private bool IsShortIn(Dimension dimension, long window, in Ceilings ceilings, long amount, ref Shortfall shortfall)
    {
        ref var pot = ref PotOf(dimension);
        var (limit, taken) = (ceilings[dimension], pot.Taken(window));
        if (amount <= limit - taken)
        {
            return false;
        }

        shortfall = new Shortfall(dimension, limit, amount, taken, pot.Reserved, 1);
        return true;
    }

    private long Taken(Dimension dimension, in Moment now) =>
        IsRate(dimension) ? _rates.Taken(dimension, now.Second) : PotOf(dimension).Taken(now.WindowOf(dimension));

    /// <summary>It counts any 60 seconds. A rate that is shared counts the clock's minutes, on which replicas agree.</summary>
    private bool IsRate(Dimension dimension) => dimension <= Dimension.Tokens && sharing is null;

    private ref Pot PotOf(Dimension dimension) => ref _pots[(int)dimension];
}
