namespace LlmProxy.Core.Admission;

/// <summary>
/// What one key, group or end user has taken of every limit. It belongs to who it is and not to a configuration: a reload changes the
/// limits that it is compared with and nothing of what it holds.
/// </summary>
/// <param name="name">As in the ledger: <c>key/ID</c>, <c>group/NAME</c> or <c>user/GROUP/NAME</c>.</param>
internal sealed class Meter(string name)
{
    private readonly Gauge?[] _gauges = new Gauge?[Ceilings.Count];

    private RecentModels _answers;

    // An end user without a budget for ever is not kept for what was spent in months that are over.
    private bool _keepsTotal = !name.StartsWith(UserPrefix, StringComparison.Ordinal);

    private const string UserPrefix = "user/";

    public string Name { get; } = name;

    /// <summary>Held while any gauge is looked at. Who needs those of several takes a key's first, then its group's, then a user's.</summary>
    public Lock Turn { get; } = new();

    /// <summary>It was empty for long and nobody finds it any more: who still holds it looks for its successor.</summary>
    public bool IsForgotten { get; private set; }

    /// <summary>Of a key: how long its answers are.</summary>
    public ref RecentModels Answers => ref _answers;

    /// <summary>The second in which it was last asked for something.</summary>
    public long LastTaken { get; private set; }

    /// <summary>The first limit that has no room for a claim; null if all have. The turn is held.</summary>
    public Shortfall? Check(Ceilings ceilings, in Claim claim, in Moment now)
    {
        for (var i = 0; i < Ceilings.Count; i++)
        {
            var dimension = (Dimension)i;
            var limit = ceilings[dimension];
            if (limit < 0)
            {
                continue;
            }

            var at = now.WindowOf(dimension);
            var gauge = Of(dimension);
            var taken = gauge.Taken(at);
            var amount = claim.Of(dimension);
            if (amount > limit - taken && amount > 0)
            {
                return new Shortfall(dimension, limit, amount, taken, gauge.Reserved, gauge.WaitFor(taken + amount - limit, at));
            }
        }

        return null;
    }

    /// <summary>Sets a claim aside, which was found to have room. The turn is held.</summary>
    public void Take(Ceilings ceilings, in Claim claim, in Moment now)
    {
        LastTaken = now.Second;
        _keepsTotal |= ceilings.Has(Dimension.Total);
        for (var i = 0; i < Ceilings.Count; i++)
        {
            var dimension = (Dimension)i;
            if (ceilings[dimension] >= 0)
            {
                Of(dimension).Take(now.WindowOf(dimension), claim.Of(dimension));
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
    public void Settle(Ceilings ceilings, in Claim claim, in Claim used, bool isGivenBack, in Moment then, in Moment now)
    {
        lock (Turn)
        {
            for (var i = 0; i < Ceilings.Count; i++)
            {
                var dimension = (Dimension)i;
                var isLimited = ceilings[dimension] >= 0;
                var reserved = isLimited ? claim.Of(dimension) : 0;
                var spent = dimension == Dimension.Concurrent || (dimension == Dimension.Requests && isGivenBack) ? 0 : used.Of(dimension);
                if (isLimited ? reserved != 0 || spent != 0 : dimension >= Dimension.Day && spent != 0)
                {
                    Of(dimension).Settle(then.WindowOf(dimension), reserved, spent, now.WindowOf(dimension));
                }
            }
        }
    }

    /// <summary>Counts money of which no request here tells.</summary>
    public void Add(Dimension dimension, long window, long money)
    {
        lock (Turn)
        {
            ((Pot)Of(dimension)).Add(window, money);
        }
    }

    /// <summary>What stands against a limit now.</summary>
    public (long Taken, long Reserved) Look(Dimension dimension, in Moment now)
    {
        lock (Turn)
        {
            return _gauges[(int)dimension] is { } gauge ? (gauge.Taken(now.WindowOf(dimension)), gauge.Reserved) : (0, 0);
        }
    }

    /// <summary>What stands against a rate, and how many seconds until nothing does.</summary>
    public (long Taken, long Wait) LookAhead(Dimension dimension, in Instant now)
    {
        lock (Turn)
        {
            return _gauges[(int)dimension] is { } gauge && gauge.Taken(now.Second) is > 0 and var taken ? (taken, gauge.WaitFor(taken, now.Second)) : (0, 0);
        }
    }

    /// <summary>Forgets it if it holds nothing that anybody has to know.</summary>
    /// <param name="now">In the zone that is last: a day that is over there is over everywhere.</param>
    public bool TryForget(in Moment now)
    {
        lock (Turn)
        {
            for (var i = 0; i < Ceilings.Count; i++)
            {
                var dimension = (Dimension)i;
                if (_gauges[i] is { } gauge && (dimension != Dimension.Total || _keepsTotal) && gauge.HoldsAt(now.WindowOf(dimension)))
                {
                    return false;
                }
            }

            return IsForgotten = true;
        }
    }

    private Gauge Of(Dimension dimension) =>
        _gauges[(int)dimension] ??= dimension is Dimension.Requests or Dimension.Tokens ? new RateWindow() : new Pot();
}

/// <summary>A limit that has no room.</summary>
/// <param name="Dimension">Which.</param>
/// <param name="Limit">All that there is.</param>
/// <param name="Amount">What was asked for.</param>
/// <param name="Taken">What is used and set aside.</param>
/// <param name="Reserved">What of that is only set aside.</param>
/// <param name="Wait">Windows until there is room, for rates.</param>
internal readonly record struct Shortfall(Dimension Dimension, long Limit, long Amount, long Taken, long Reserved, long Wait);
