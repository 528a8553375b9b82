namespace LlmProxy.Core.Admission;

/// <summary>What is left of the limits of requests and tokens; of several, of the one that is nearest to its end.</summary>
/// <param name="Requests">Below 0 in <see cref="RateLeft.Limit"/> where none are limited.</param>
/// <param name="Tokens">Likewise.</param>
internal readonly record struct RateView(RateLeft Requests, RateLeft Tokens)
{
    /// <summary>There is something to tell.</summary>
    public bool HasAny => Requests.Limit > 0 || Tokens.Limit > 0;

    public static RateView Of(CallerLimits limits, Meter? user, Meters meters)
    {
        var now = meters.Now();
        return new RateView(Least(limits, user, Dimension.Requests, now), Least(limits, user, Dimension.Tokens, now));
    }

    private static RateLeft Least(CallerLimits limits, Meter? user, Dimension dimension, in Instant now)
    {
        var least = default(RateLeft);
        Look(limits.Meter, limits.Ceilings, dimension, now, ref least);
        if (limits.Pool is { } pool)
        {
            Look(pool.Meter, pool.Ceilings, dimension, now, ref least);
            if (user is not null)
            {
                Look(user, limits.Users!.Ceilings, dimension, now, ref least);
            }
        }

        return least;
    }

    private static void Look(Meter meter, in Ceilings ceilings, Dimension dimension, in Instant now, ref RateLeft least)
    {
        var limit = ceilings[dimension];
        if (limit < 0)
        {
            return;
        }

        var (taken, wait) = meter.LookAhead(dimension, now);
        var left = Math.Max(0, limit - taken);
        if (least.Limit == 0 || left < least.Remaining)
        {
            least = new RateLeft(limit, left, wait);
        }
    }
}

/// <param name="Limit">All of it; 0 where there is none.</param>
/// <param name="Remaining">What is left.</param>
/// <param name="ResetSeconds">Until all of it is there again.</param>
internal readonly record struct RateLeft(long Limit, long Remaining, long ResetSeconds);
