namespace LlmProxy.Core.Admission;

/// <summary>
/// What one key, group or end user has taken of every limit. It belongs to who it is and not to a configuration: a reload changes the
/// limits that it is compared with and nothing of what it holds.
/// </summary>
/// <param name="name">As in the ledger: <c>key/ID</c>, <c>group/NAME</c> or <c>user/GROUP/NAME</c>.</param>
/// <param name="sharing">With other replicas; null where there are none.</param>
internal sealed class Meter(string name, LimitSharing? sharing = null)
{
    // In one piece: with many keys most of what a request costs here is waiting for memory.
    private Pots _pots;
    private RateWindow? _requests;
    private RateWindow? _tokens;
    private RecentModels _answers;
    private Slice?[]? _slices;

    // Requests that have set something aside here and have not ended.
    private int _open;

    // An end user without a budget for ever is not kept for what was spent in months that are over.
    private bool _keepsTotal = !name.StartsWith(UserMeters.Prefix, StringComparison.Ordinal);

    public string Name { get; } = name;

    /// <summary>Held while anything of it is looked at. Who needs those of several takes a key's first, then its group's, then a user's.</summary>
    public Lock Turn { get; } = new();

    /// <summary>It was empty for long and nobody finds it any more: who still holds it looks for its successor.</summary>
    public bool IsForgotten { get; private set; }

    /// <summary>Of a key: how long its answers are.</summary>
    public ref RecentModels Answers => ref _answers;

    /// <summary>The second in which it was last asked for something.</summary>
    public long LastTaken { get; private set; }

    /// <summary>Is there a limit that has no room for a claim? The turn is held.</summary>
    /// <remarks>Of several that are shared and have none the first is told, and all are asked for: a request asks only once.</remarks>
    public bool IsShort(in Ceilings ceilings, in Claim claim, in Moment now, out Shortfall shortfall)
    {
        var isShort = false;
        shortfall = default;
        for (var i = 0; i < Ceilings.Count; i++)
        {
            var dimension = (Dimension)i;
            var limit = ceilings[dimension];
            if (limit < 0)
            {
                continue;
            }

            var taken = Taken(dimension, now);
            var amount = claim.Of(dimension);
            if (amount > (sharing is null ? limit - taken : RoomIn(dimension, limit, now)) && amount > 0)
            {
                if (sharing is null)
                {
                    shortfall = new Shortfall(dimension, limit, amount, taken, _pots[i].Reserved, WindowOf(dimension)?.WaitFor(taken + amount - limit, now.Second) ?? 1);
                    return true;
                }

                var found = ShortOf(SliceOf(dimension), limit, amount);
                (shortfall, isShort) = (isShort ? shortfall : found, true);
            }
        }

        return isShort;
    }

    /// <summary>Sets a claim aside, which was found to have room. The turn is held.</summary>
    public void Take(in Ceilings ceilings, in Claim claim, in Moment now)
    {
        LastTaken = now.Second;
        _open++;
        _keepsTotal |= ceilings.Has(Dimension.Total);
        for (var i = 0; i < Ceilings.Count; i++)
        {
            var dimension = (Dimension)i;
            if (!ceilings.Has(dimension))
            {
                continue;
            }

            var amount = claim.Of(dimension);
            if (WindowOf(dimension) is { } window)
            {
                window.Take(now.Second, amount);
            }
            else
            {
                _pots[i].Take(now.WindowOf(dimension), amount);
                if (sharing is not null)
                {
                    SliceOf(dimension).Note(amount);
                    sharing.List(SliceOf(dimension));
                }
            }
        }
    }

    /// <summary>Puts what was used in the place of what was set aside.</summary>
    /// <param name="ceilings">Those that it was taken under.</param>
    /// <param name="claim">What was taken.</param>
    /// <param name="used">What was used; its money is counted whether or not there is a budget, for there may be one tomorrow.</param>
    /// <param name="isGivenBack">The request does not count either.</param>
    /// <param name="then">When it was admitted.</param>
    /// <param name="now">Now.</param>
    /// <returns>False if it is forgotten: what was used is its successor's. Nothing had been set aside here, or it would not be.</returns>
    public bool TrySettle(in Ceilings ceilings, in Claim claim, in Claim used, bool isGivenBack, in Moment then, in Moment now)
    {
        lock (Turn)
        {
            if (IsForgotten)
            {
                return false;
            }

            _open -= ceilings.HasAny ? 1 : 0;
            for (var i = 0; i < Ceilings.Count; i++)
            {
                var dimension = (Dimension)i;
                var isLimited = ceilings.Has(dimension);
                var reserved = isLimited ? claim.Of(dimension) : 0;
                var spent = dimension == Dimension.Concurrent || (dimension == Dimension.Requests && isGivenBack) ? 0 : used.Of(dimension);
                if (!isLimited && (dimension < Dimension.Day || spent == 0))
                {
                    continue;
                }

                if (WindowOf(dimension) is { } window)
                {
                    window.Settle(then.Second, reserved, spent, now.Second);
                }
                else
                {
                    _pots[i].Settle(then.WindowOf(dimension), reserved, spent, now.WindowOf(dimension));
                    if (_slices?[i] is { } slice)
                    {
                        sharing!.List(slice);
                    }
                }
            }

            return true;
        }
    }

    /// <summary>Counts money of which no request here tells. Where limits are shared it is told on as though it was used here.</summary>
    /// <returns>False if it is forgotten.</returns>
    public bool TryAdd(Dimension dimension, long window, long money)
    {
        lock (Turn)
        {
            if (IsForgotten)
            {
                return false;
            }

            _pots[(int)dimension].Add(window, money);
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
        lock (Turn)
        {
            ref var pot = ref _pots[(int)dimension];
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

        lock (Turn)
        {
            var window = WindowOf(dimension)!;
            return window.Taken(now.Second) is > 0 and var taken ? (taken, window.WaitFor(taken, now.Second)) : (0, 0);
        }
    }

    /// <summary>What a slice has to say to the store.</summary>
    public SliceAsk? Ask(Slice slice, in Instant now, long milliseconds, bool isLast = false)
    {
        lock (Turn)
        {
            ref var pot = ref _pots[(int)slice.Dimension];
            if (slice.Dimension <= Dimension.Tokens)
            {
                pot.Taken(now.Minute);
            }

            var ask = slice.Ask(pot, now.Second, milliseconds, isLast);
            if (ask is null && slice.IsIdle(pot))
            {
                sharing!.Unlist(slice);
            }

            return ask;
        }
    }

    /// <summary>What the store has answered.</summary>
    public void Answer(in SliceAsk ask, long held, long usedByAll)
    {
        lock (Turn)
        {
            ask.Slice.Answer(ask, _pots[(int)ask.Slice.Dimension], held, usedByAll);
        }
    }

    /// <summary>Forgets it if it holds nothing that anybody has to know.</summary>
    /// <param name="now">In the zone that is last: a day that is over there is over everywhere.</param>
    /// <param name="keepsTotal">What was spent since ever has to be known, whether or not anybody has asked for it here.</param>
    public bool TryForget(in Moment now, bool keepsTotal = false)
    {
        lock (Turn)
        {
            if (_open > 0)
            {
                return false;
            }

            for (var dimension = Dimension.Concurrent; dimension <= Dimension.Total; dimension++)
            {
                if ((dimension != Dimension.Total || _keepsTotal || keepsTotal) && _pots[(int)dimension].HoldsAt(now.WindowOf(dimension)))
                {
                    return false;
                }
            }

            return IsForgotten = (_requests?.Taken(now.Second) ?? 0) == 0 && (_tokens?.Taken(now.Second) ?? 0) == 0;
        }
    }

    private static long SecondsLeft(long ticks) => 60 - (ticks % TimeSpan.TicksPerMinute / TimeSpan.TicksPerSecond);

    private long Taken(Dimension dimension, in Moment now) =>
        WindowOf(dimension) is { } window ? window.Taken(now.Second) : _pots[(int)dimension].Taken(now.WindowOf(dimension));

    /// <summary>Of a rate that is not shared; null for all others.</summary>
    private RateWindow? WindowOf(Dimension dimension) => sharing is not null ? null : dimension switch
    {
        Dimension.Requests => _requests ??= new RateWindow(),
        Dimension.Tokens => _tokens ??= new RateWindow(),
        _ => null,
    };

    private Slice SliceOf(Dimension dimension)
    {
        _slices ??= new Slice?[Ceilings.Count];
        ref var slice = ref _slices[(int)dimension];
        if (slice is null)
        {
            slice = new Slice(this, dimension);
            slice.Begin(_pots[(int)dimension]);
        }

        return slice;
    }

    private long RoomIn(Dimension dimension, long limit, in Moment now)
    {
        var slice = SliceOf(dimension);
        slice.Limit = limit;
        return slice.IsExpired(now.Second) && sharing!.ServesUnlimited ? long.MaxValue : slice.Room(_pots[(int)dimension], now.Second);
    }

    /// <summary>What nobody has used is held by other replicas, or could not be asked for.</summary>
    private Shortfall ShortOf(Slice slice, long limit, long amount)
    {
        ref var pot = ref _pots[(int)slice.Dimension];
        var used = slice.UsedByAll(pot);
        var isWorthAsking = amount <= limit && slice.Want(amount, sharing!.Milliseconds);
        sharing!.List(slice);
        return new Shortfall(slice.Dimension, limit, amount, Math.Max(used, limit), Math.Max(0, limit - used), SecondsLeft(sharing.Ticks)) { MayHaveMore = isWorthAsking };
    }
}
