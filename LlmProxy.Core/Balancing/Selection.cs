using System.Numerics;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Routing;

namespace LlmProxy.Core.Balancing;

/// <summary>How a candidate was come by.</summary>
/// <param name="IsForced">It is out and so are all others: it is tried all the same.</param>
/// <param name="IsFull">Its places are taken: a request waits there.</param>
/// <param name="Right">What the request is the probe of there.</param>
internal readonly record struct Standing(bool IsForced, bool IsFull, ProbeRight Right)
{
    /// <summary>It may be asked.</summary>
    public static Standing Ready => default;

    public static Standing Full => new(false, true, default);

    public static Standing Forced => new(true, false, default);
}

/// <summary>
/// One request's way through the targets of its model: whom to ask now, and whom after that. It is kept where the request is, so
/// that choosing allocates nothing: a copy of it chooses for itself.
/// </summary>
internal partial struct Selection
{
    private const int UsualWaitMs = 1000;
    private const int LongestWaitMs = 60_000;

    private readonly Pool _pool;
    private readonly TimeProvider _time;
    private readonly PickKey _key;
    private ulong _all;
    private ulong _open;
    private ulong _large = ulong.MaxValue;

    public Selection(Pool pool, in RouteMatch match, Operations operation, Caller caller, in PickKey key, TimeProvider time)
    {
        _pool = pool;
        Match = match;
        _time = time;
        _key = key;
        Caller = caller;
        for (var i = 0; i < pool.Candidates.Length; i++)
        {
            var target = pool.Candidates[i].Target;
            var upstream = target.Upstream;
            if (target.Serves(operation, match.Star) && (match.Keeper is null || match.Keeper == upstream.Name) && upstream.Carries(caller.UpstreamTags))
            {
                _open |= 1UL << i;
            }
        }

        _all = _open;
        Count = BitOperations.PopCount(_open);
    }

    /// <summary>Where the model leads.</summary>
    public RouteMatch Match { get; }

    public Caller Caller { get; }

    /// <summary>What the route's star stands for.</summary>
    public readonly ReadOnlySpan<char> Star => Match.Star;

    public readonly Route Route => _pool.Route;

    public readonly RouteState State => _pool.State;

    /// <summary>Targets that may serve this request at all.</summary>
    public int Count { get; private set; }

    /// <summary>Somebody is left who could be asked now.</summary>
    public readonly bool HasNext() => _open != 0 && (ReadyAt(Clock.Ms(_time), out var full) | full) != 0;

    /// <summary>The first in order of those that may serve it, for what has to be known before one is chosen.</summary>
    public readonly Target First => _pool.Candidates[BitOperations.TrailingZeroCount(_open)].Target;

    /// <summary>Picks the next to ask, which is not picked again. Null if nobody can be asked.</summary>
    /// <param name="standing">How it was come by.</param>
    /// <param name="mayWait">One may be picked whose places are taken.</param>
    public Candidate? Next(out Standing standing, bool mayWait = true) => Next(Clock.Ms(_time), out standing, mayWait);

    /// <summary>The same, at a moment that is known.</summary>
    /// <param name="now">Milliseconds of <see cref="Clock"/>.</param>
    /// <param name="standing">How it was come by.</param>
    /// <param name="mayWait">One may be picked whose places are taken.</param>
    public Candidate? Next(long now, out Standing standing, bool mayWait = true)
    {
        while (_open != 0)
        {
            var ready = ReadyAt(now, out var full);
            full = mayWait ? full : 0;
            standing = ready != 0 ? Standing.Ready : Standing.Full;
            if ((ready | full) == 0)
            {
                break;
            }

            var index = ready != 0 ? _pool.Pick(ready, _key, now) : _pool.ShortestQueue(full);
            _open &= ~(1UL << index);
            var candidate = _pool.Candidates[index];
            if (candidate.State.TryBegin(candidate.Target, Match.Star, Count == 1, now, out var right))
            {
                standing = standing with { Right = right };
                return candidate;
            }
        }

        standing = Standing.Forced;
        return null;
    }

    /// <summary>One that was picked was not asked after all: it can be picked again.</summary>
    public void Return(Candidate candidate) => _open |= _large & (1UL << Array.IndexOf(_pool.Candidates, candidate));

    /// <summary>Picks the one that has been out longest because it fails, when all are out. Null if none is, or that is not wanted.</summary>
    public Candidate? Forced()
    {
        if (!Route.Failover.FailOpen)
        {
            return null;
        }

        var now = Clock.Ms(_time);
        var best = -1;
        var earliest = long.MaxValue;
        for (var left = _open; left != 0; left &= left - 1)
        {
            var index = BitOperations.TrailingZeroCount(left);
            var since = _pool.Candidates[index].State.FailingSince;
            if (since != 0 && since < earliest && Look(index, now, out _, out var cause) == Readiness.Out && cause == FailureCause.Failed)
            {
                (best, earliest) = (index, since);
            }
        }

        if (best < 0)
        {
            return null;
        }

        _open &= ~(1UL << best);
        return _pool.Candidates[best];
    }

    /// <summary>There is one with a larger context window than that of another, whether or not it can be asked now.</summary>
    /// <param name="than">The other.</param>
    public readonly bool HasLarger(Target than) => (_open & LargerThan(than)) != 0;

    /// <summary>From now on only such are asked that have a larger context window than one that was too small.</summary>
    /// <param name="than">It was too small.</param>
    public void KeepLarger(Target than)
    {
        _large &= LargerThan(than);
        _open &= _large;
    }

    /// <summary>Picks the next to ask; if none can be asked, the one that is tried all the same.</summary>
    /// <param name="standing">How it was come by.</param>
    /// <param name="exists">There is one, whether or not it can be asked now.</param>
    public Candidate? NextLarger(out Standing standing, out bool exists)
    {
        exists = _open != 0;
        if (Next(out standing) is { } next)
        {
            return next;
        }

        standing = Standing.Forced;
        return Forced();
    }

    private readonly ulong LargerThan(Target than)
    {
        var larger = 0UL;
        for (var i = 0; i < _pool.Candidates.Length; i++)
        {
            larger |= _pool.Candidates[i].Target.Context > than.Context ? 1UL << i : 0;
        }

        return larger;
    }

    /// <summary>In how many milliseconds the first of those that are left alone now may be asked again; 0 if none is left alone.</summary>
    public readonly int ShortestPauseMs()
    {
        var now = Clock.Ms(_time);
        var shortest = long.MaxValue;
        for (var left = _all & _large; left != 0; left &= left - 1)
        {
            if (Look(BitOperations.TrailingZeroCount(left), now, out var until, out _) is Readiness.Cooling or Readiness.Out && until > now)
            {
                shortest = Math.Min(shortest, until - now);
            }
        }

        return shortest == long.MaxValue ? 0 : (int)Math.Min(shortest, LongestWaitMs);
    }

    /// <summary>What is to be said when nobody can be asked.</summary>
    public readonly ProxyError Nobody()
    {
        var now = Clock.Ms(_time);
        FailureCause? common = null;
        for (var left = _all & _large; left != 0; left &= left - 1)
        {
            var readiness = Look(BitOperations.TrailingZeroCount(left), now, out _, out var cause);
            var own = readiness is Readiness.Cooling or Readiness.Out ? cause : FailureCause.Failed;
            common = common is null || common == own ? own : FailureCause.Failed;
        }

        var wait = ShortestPauseMs() is > 0 and var known ? known : UsualWaitMs;
        return common switch
        {
            FailureCause.RateLimited => ProxyErrors.AllCooling(wait),
            FailureCause.QuotaGone => ProxyErrors.AllCooling(wait) with { IsFinal = true },
            FailureCause.KeyRefused => ProxyErrors.AuthError,
            FailureCause.ModelForbidden => ProxyErrors.ModelForbidden,
            FailureCause.ModelUnknown => ProxyErrors.ModelError,
            _ => ProxyErrors.NoHealthyUpstream(wait),
        };
    }

    private readonly ulong ReadyAt(long now, out ulong full)
    {
        var ready = 0UL;
        full = 0;
        for (var left = _open; left != 0; left &= left - 1)
        {
            var index = BitOperations.TrailingZeroCount(left);
            switch (Look(index, now, out _, out _))
            {
                case Readiness.Ready:
                    ready |= 1UL << index;
                    break;
                case Readiness.Full:
                    full |= 1UL << index;
                    break;
            }
        }

        return ready;
    }

    private readonly Readiness Look(int index, long now, out long until, out FailureCause cause)
    {
        var candidate = _pool.Candidates[index];
        return candidate.State.Look(candidate.Target, Match.Star, Count == 1, now, out until, out cause);
    }
}
