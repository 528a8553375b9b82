namespace LlmProxy.Core.Admission;

/// <summary>
/// What one key, group or end user has taken of every limit. It belongs to who it is and not to a configuration: a reload changes the
/// limits that it is compared with and nothing of what it holds.
/// </summary>
/// <param name="name">As in the ledger: <c>key/ID</c>, <c>group/NAME</c> or <c>user/GROUP/NAME</c>.</param>
internal sealed class Meter(string name)
{
    private const string UserPrefix = "user/";

    // In one piece: with many keys most of what a request costs here is waiting for memory.
    private Pots _pots;
    private RateWindow? _requests;
    private RateWindow? _tokens;
    private RecentModels _answers;

    // An end user without a budget for ever is not kept for what was spent in months that are over.
    private bool _keepsTotal = !name.StartsWith(UserPrefix, StringComparison.Ordinal);

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
    public bool IsShort(in Ceilings ceilings, in Claim claim, in Moment now, out Shortfall shortfall)
    {
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
            if (amount > limit - taken && amount > 0)
            {
                var wait = WindowOf(dimension)?.WaitFor(taken + amount - limit, now.Second) ?? 1;
                shortfall = new Shortfall(dimension, limit, amount, taken, _pots[i].Reserved, wait);
                return true;
            }
        }

        shortfall = default;
        return false;
    }

    /// <summary>Sets a claim aside, which was found to have room. The turn is held.</summary>
    public void Take(in Ceilings ceilings, in Claim claim, in Moment now)
    {
        LastTaken = now.Second;
        _keepsTotal |= ceilings.Has(Dimension.Total);
        for (var i = 0; i < Ceilings.Count; i++)
        {
            var dimension = (Dimension)i;
            if (!ceilings.Has(dimension))
            {
                continue;
            }

            if (dimension <= Dimension.Tokens)
            {
                WindowOf(dimension)!.Take(now.Second, claim.Of(dimension));
            }
            else
            {
                _pots[i].Take(now.WindowOf(dimension), claim.Of(dimension));
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
    public void Settle(in Ceilings ceilings, in Claim claim, in Claim used, bool isGivenBack, in Moment then, in Moment now)
    {
        lock (Turn)
        {
            for (var i = 0; i < Ceilings.Count; i++)
            {
                var dimension = (Dimension)i;
                var isLimited = ceilings.Has(dimension);
                var reserved = isLimited ? claim.Of(dimension) : 0;
                var spent = dimension == Dimension.Concurrent || (dimension == Dimension.Requests && isGivenBack) ? 0 : used.Of(dimension);
                if (isLimited ? reserved == spent && dimension == Dimension.Requests : dimension < Dimension.Day || spent == 0)
                {
                    continue;
                }

                if (dimension <= Dimension.Tokens)
                {
                    WindowOf(dimension)!.Settle(then.Second, reserved, spent, now.Second);
                }
                else
                {
                    _pots[i].Settle(then.WindowOf(dimension), reserved, spent, now.WindowOf(dimension));
                }
            }
        }
    }

    /// <summary>Counts money of which no request here tells.</summary>
    public void Add(Dimension dimension, long window, long money)
    {
        lock (Turn)
        {
            _pots[(int)dimension].Add(window, money);
        }
    }

    /// <summary>What stands against a limit now, and what of that is only set aside.</summary>
    public (long Taken, long Reserved) Look(Dimension dimension, in Moment now)
    {
        lock (Turn)
        {
            return (Taken(dimension, now), _pots[(int)dimension].Reserved);
        }
    }

    /// <summary>What stands against a rate, and how many seconds until nothing does.</summary>
    public (long Taken, long Wait) LookAhead(Dimension dimension, in Instant now)
    {
        lock (Turn)
        {
            var window = WindowOf(dimension)!;
            return window.Taken(now.Second) is > 0 and var taken ? (taken, window.WaitFor(taken, now.Second)) : (0, 0);
        }
    }

    /// <summary>Forgets it if it holds nothing that anybody has to know.</summary>
    /// <param name="now">In the zone that is last: a day that is over there is over everywhere.</param>
    public bool TryForget(in Moment now)
    {
        lock (Turn)
        {
            for (var dimension = Dimension.Concurrent; dimension <= Dimension.Total; dimension++)
            {
                if ((dimension != Dimension.Total || _keepsTotal) && _pots[(int)dimension].HoldsAt(now.WindowOf(dimension)))
                {
                    return false;
                }
            }

            return IsForgotten = (_requests?.Taken(now.Second) ?? 0) == 0 && (_tokens?.Taken(now.Second) ?? 0) == 0;
        }
    }

    private long Taken(Dimension dimension, in Moment now) =>
        WindowOf(dimension) is { } window ? window.Taken(now.Second) : _pots[(int)dimension].Taken(now.WindowOf(dimension));

    /// <summary>Of a rate; null for all others.</summary>
    private RateWindow? WindowOf(Dimension dimension) => dimension switch
    {
        Dimension.Requests => _requests ??= new RateWindow(),
        Dimension.Tokens => _tokens ??= new RateWindow(),
        _ => null,
    };
}

/// <summary>A limit that has no room.</summary>
/// <param name="Dimension">Which.</param>
/// <param name="Limit">All that there is.</param>
/// <param name="Amount">What was asked for.</param>
/// <param name="Taken">What is used and set aside.</param>
/// <param name="Reserved">What of that is only set aside.</param>
/// <param name="Wait">Seconds until there is room, for rates.</param>
internal readonly record struct Shortfall(Dimension Dimension, long Limit, long Amount, long Taken, long Reserved, long Wait);
