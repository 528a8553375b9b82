using System.Numerics;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Balancing;

/// <summary>The targets of a route, by priority, with their live state. Picks are written as places in that order, sets of them as bits.</summary>
internal sealed class Pool
{
    // Who has so little to do is not overloaded, whatever the others have: an agent and its helpers stay together.
    private const int LeastBound = 4;
    private const double BoundOfMean = 1.25;

    private readonly Random _random;
    private readonly ulong[] _peers;
    private readonly ulong _weighted;
    private readonly bool _isEven;

    /// <param name="route">Whose targets they are.</param>
    /// <param name="candidates">By priority; at most 64.</param>
    /// <param name="state">Of the model.</param>
    /// <param name="random">Safe for many threads.</param>
    public Pool(Route route, Candidate[] candidates, RouteState state, Random random)
    {
        Route = route;
        Candidates = candidates;
        State = state;
        _random = random;
        _peers = new ulong[candidates.Length];
        for (var i = 0; i < candidates.Length; i++)
        {
            var target = candidates[i].Target;
            _weighted |= target.Weight > 0 ? 1UL << i : 0;
            for (var j = 0; j < candidates.Length; j++)
            {
                _peers[i] |= candidates[j].Target.Priority == target.Priority ? 1UL << j : 0;
            }
        }

        _isEven = candidates.Select(c => WeightOf(c)).Distinct().Count() == 1;
        HasSeveralUpstreams = candidates.Select(c => c.Target.Upstream).Distinct().Count() > 1;
    }

    public Route Route { get; }

    /// <summary>By priority.</summary>
    public Candidate[] Candidates { get; }

    public RouteState State { get; }

    public bool HasSeveralUpstreams { get; }

    /// <summary>Picks one, of the lowest priority that is there.</summary>
    /// <param name="ready">Those that may be picked; at least one.</param>
    /// <param name="key">What it hangs on.</param>
    /// <param name="now">Milliseconds.</param>
    public int Pick(ulong ready, in PickKey key, long now)
    {
        var first = BitOperations.TrailingZeroCount(ready);
        if ((ready & (ready - 1)) == 0 || Route.Balance == TargetBalance.InOrder)
        {
            return first;
        }

        var peers = Foremost(ready);
        return (peers & (peers - 1)) == 0 ? BitOperations.TrailingZeroCount(peers) : Route.Balance switch
        {
            TargetBalance.LeastLoaded => Lighter(peers, key, now),
            TargetBalance.Affinity => Warmest(peers, key, now),
            _ => key.Hash != 0 ? Nearest(peers, key.Hash) : Draw(peers),
        };
    }

    /// <summary>Where a request belongs, whoever is busy or out; negative if that is up to chance.</summary>
    /// <param name="open">Those that may serve it.</param>
    /// <param name="key">What it hangs on.</param>
    public int HomeOf(ulong open, in PickKey key) =>
        Route.Balance == TargetBalance.InOrder ? BitOperations.TrailingZeroCount(open) : key.Hash != 0 ? Nearest(Foremost(open), key.Hash) : -1;

    /// <summary>Picks the one where the fewest wait for their share of it.</summary>
    public int ShortestQueue(ulong full)
    {
        var best = BitOperations.TrailingZeroCount(full);
        var shortest = double.MaxValue;
        for (var left = Route.Balance == TargetBalance.InOrder ? 0 : Foremost(full); left != 0; left &= left - 1)
        {
            var index = BitOperations.TrailingZeroCount(left);
            var length = (Candidates[index].State.Places.Waiting + 1.0) / WeightOf(Candidates[index]);
            if (length < shortest)
            {
                (best, shortest) = (index, length);
            }
        }

        return best;
    }

    /// <summary>Those of the lowest priority; those without a weight only if all others are away.</summary>
    private ulong Foremost(ulong ready)
    {
        var peers = ready & _peers[BitOperations.TrailingZeroCount(ready)];
        return (peers & _weighted) != 0 ? peers & _weighted : peers;
    }

    private static int WeightOf(Candidate candidate) => Math.Max(candidate.Target.Weight, 1);

    private int Draw(ulong peers)
    {
        var drawn = _random.Next(WeightOf(peers));
        var left = peers;
        while (true)
        {
            var index = BitOperations.TrailingZeroCount(left);
            left &= left - 1;
            drawn -= WeightOf(Candidates[index]);
            if (drawn < 0 || left == 0)
            {
                return index;
            }
        }
    }

    private int WeightOf(ulong peers)
    {
        var sum = 0;
        for (var left = peers; left != 0; left &= left - 1)
        {
            sum += WeightOf(Candidates[BitOperations.TrailingZeroCount(left)]);
        }

        return sum;
    }

    /// <summary>
    /// The better of two that chance has drawn. Of two and not of all, so that requests that come together do not all see the same
    /// one idle and meet there.
    /// </summary>
    private int Lighter(ulong peers, in PickKey key, long now)
    {
        var one = Draw(peers);
        var other = Draw(peers & ~(1UL << one));
        var (oneLatency, otherLatency) = Latencies(Candidates[one].Load.PaceOf(key.Streams), Candidates[other].Load.PaceOf(key.Streams), now);
        var (oneLoad, otherLoad) = (LoadOf(Candidates[one]), LoadOf(Candidates[other]));

        // Load makes a target look at most twice as slow as it is. Were it to count in full, a slow target would be given requests
        // for as long as it has few of them; a target that has too many is slow, and that shows in its latency.
        var loser = oneLatency * (1 + (oneLoad / (oneLoad + otherLoad))) <= otherLatency * (1 + (otherLoad / (oneLoad + otherLoad))) ? other : one;
        Candidates[loser].Load.PaceOf(key.Streams).Lose();
        return loser == one ? other : one;
    }

    private static double LoadOf(Candidate candidate) => (candidate.Load.Active + 1.0) / WeightOf(candidate);

    // Of whom nothing is known, no better is thought than of the other, and worse once it has been silent for longer.
    private static (double One, double Other) Latencies(Pace one, Pace other, long now)
    {
        var (first, second) = (one.Latency(now), other.Latency(now));
        if (double.IsNaN(first) && double.IsNaN(second))
        {
            return (1, 1);
        }

        return (double.IsNaN(first) ? Math.Max(second, one.Silence(now)) : first, double.IsNaN(second) ? Math.Max(first, other.Silence(now)) : second);
    }

    /// <summary>The one where the conversation was before, or the next in its order if that has much more to do than the others.</summary>
    private int Warmest(ulong peers, in PickKey key, long now)
    {
        if (key.Hash == 0)
        {
            return Lighter(peers, key, now);
        }

        var home = Nearest(peers, key.Hash);
        if (Candidates[home].Load.Cache.IsIdle(now))
        {
            return Lighter(peers, key, now);
        }

        var all = 1;
        for (var left = peers; left != 0; left &= left - 1)
        {
            all += Candidates[BitOperations.TrailingZeroCount(left)].Load.Active;
        }

        var bound = BoundOfMean * all / WeightOf(peers);
        for (var (index, left) = (home, peers); ; index = Nearest(left, key.Hash))
        {
            if (Candidates[index].Load.Active < Math.Max(LeastBound, Math.Ceiling(bound * WeightOf(Candidates[index]))))
            {
                return index;
            }

            left &= ~(1UL << index);
            if (left == 0)
            {
                return home;
            }
        }
    }

    /// <summary>
    /// Weighted rendezvous: each target draws a lot of its own for the key, and the best one wins. A target that leaves takes only
    /// its own keys with it.
    /// </summary>
    private int Nearest(ulong peers, ulong hash)
    {
        var best = -1;
        var bestLot = 0UL;
        var bestTime = double.MaxValue;
        for (var left = peers; left != 0; left &= left - 1)
        {
            var index = BitOperations.TrailingZeroCount(left);
            var lot = Fingerprint.Scatter(hash ^ Candidates[index].Salt);
            if (_isEven)
            {
                if (best < 0 || lot > bestLot)
                {
                    (best, bestLot) = (index, lot);
                }

                continue;
            }

            // The first to arrive, where arrivals are as frequent as the weights are large.
            var time = -Math.Log(((lot >> 11) + 0.5) * (1.0 / (1UL << 53))) / WeightOf(Candidates[index]);
            if (time < bestTime)
            {
                (best, bestTime) = (index, time);
            }
        }

        return best;
    }
}
