namespace LlmProxy.Core.Admission;

/// <summary>Limits that are shared with other replicas: what is taken is of this one's slices of them.</summary>
internal sealed partial class Meter
{
    /// <summary>What a slice has to say to the store.</summary>
    public SliceAsk? Ask(Slice slice, in Instant now, long milliseconds, bool isLast = false)
    {
        lock (this)
        {
            ref var pot = ref PotOf(slice.Dimension);
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
        lock (this)
        {
            ask.Slice.Answer(ask, PotOf(ask.Slice.Dimension), held, usedByAll);
        }
    }

    /// <summary>The store is still told of it, or asked: by a second one of the same name it would be asked twice, which it refuses.</summary>
    private bool IsExchanged()
    {
        foreach (var slice in _slices.AsSpan())
        {
            if (slice is { IsListed: true })
            {
                return true;
            }
        }

        return false;
    }

    private bool IsShortOfSlices(in Ceilings ceilings, in Claim claim, in Moment now, ref Shortfall shortfall)
    {
        var isShort = false;
        for (var left = ceilings.Limited; left != 0;)
        {
            var dimension = Ceilings.Next(ref left);
            var (limit, amount) = (ceilings[dimension], claim.Of(dimension));
            PotOf(dimension).Taken(now.WindowOf(dimension));
            if (amount > RoomIn(dimension, limit, now) && amount > 0)
            {
                var found = ShortOf(SliceOf(dimension), limit, amount);
                (shortfall, isShort) = (isShort ? shortfall : found, true);
            }
        }

        return isShort;
    }

    private void TakeOfSlices(in Ceilings ceilings, in Claim claim, in Moment now)
    {
        for (var left = ceilings.Limited; left != 0;)
        {
            var dimension = Ceilings.Next(ref left);
            var amount = claim.Of(dimension);
            PotOf(dimension).Take(now.WindowOf(dimension), amount);
            SliceOf(dimension).Note(amount);
            sharing!.List(SliceOf(dimension));
        }
    }

    /// <summary>Their rates count the clock's minutes and are pots as all else here; what was settled is to be told.</summary>
    private void SettleSlices(in Ceilings ceilings, in Claim claim, in Claim used, bool isGivenBack, in Moment then)
    {
        if (ceilings.Has(Dimension.Requests))
        {
            PotOf(Dimension.Requests).Settle(then.Minute, 1, isGivenBack ? 0 : 1);
        }

        if (ceilings.Has(Dimension.Tokens))
        {
            PotOf(Dimension.Tokens).Settle(then.Minute, claim.Tokens, used.Tokens);
        }

        for (var left = ceilings.Limited | (used.Money == 0 ? 0 : Ceilings.Money); left != 0;)
        {
            var dimension = Ceilings.Next(ref left);
            if (_slices?[(int)dimension] is { } slice)
            {
                sharing!.List(slice);
            }
        }
    }

    private Slice SliceOf(Dimension dimension)
    {
        _slices ??= new Slice?[Ceilings.Count];
        ref var slice = ref _slices[(int)dimension];
        if (slice is null)
        {
            slice = new Slice(this, dimension);
            slice.Begin(PotOf(dimension));
        }

        return slice;
    }

    private long RoomIn(Dimension dimension, long limit, in Moment now)
    {
        var slice = SliceOf(dimension);
        slice.Limit = limit;
        return slice.IsExpired(now.Second) && sharing!.ServesUnlimited ? long.MaxValue : slice.Room(PotOf(dimension), now.Second);
    }

    /// <summary>What nobody has used is held by other replicas, or could not be asked for.</summary>
    private Shortfall ShortOf(Slice slice, long limit, long amount)
    {
        ref var pot = ref PotOf(slice.Dimension);
        var used = slice.UsedByAll(pot);
        var isWorthAsking = amount <= limit && slice.Want(amount, sharing!.Milliseconds);
        sharing!.List(slice);
        return new Shortfall(slice.Dimension, limit, amount, Math.Max(used, limit), Math.Max(0, limit - used), SecondsLeft(sharing.Ticks)) { MayHaveMore = isWorthAsking };
    }
}
